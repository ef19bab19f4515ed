/** What a client gets when the gateway itself fails: the problem that core calls internal_error. */
export function problem() {
  const id = crypto.randomUUID();
  const body = {
    type: "urn:portico:problem:internal_error",
    title: "Something went wrong inside the gateway.",
    status: 500,
    instance: id,
    code: "internal_error",
  };
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store", "x-request-id": id };
  return new Response(JSON.stringify(body), { status: 500, headers });
}

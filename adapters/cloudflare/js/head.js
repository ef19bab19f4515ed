/** The head of `request` for `convert::request`: method, URL, what Cloudflare knows of the client, then the fields. */
export function head(request) {
  const { cf } = request;
  const certificate = verified(cf?.tlsClientAuth);
  let text = `${request.method}\n${request.url}\n${cf?.httpProtocol ?? ""}\n${cf?.country ?? ""}\n${cf?.asn ?? ""}\n${certificate}`;
  request.headers.forEach((value, name) => {
    text += `\n${name}\n${value}`;
  });
  return text;
}

/** What is known of a client certificate, if Cloudflare verified it; SUCCESS is also said of those that were revoked. */
function verified(tls) {
  if (tls?.certVerified !== "SUCCESS" || tls.certRevoked !== "0") return "";
  const parts = [tls.certFingerprintSHA256, tls.certSubjectDNRFC2253, tls.certIssuerDNRFC2253, tls.certSerial];
  // names are the certificate's own: they must not look like more than one part
  return parts.map((part) => String(part ?? "").replace(/[\t\n\r]/g, " ")).join("\t");
}

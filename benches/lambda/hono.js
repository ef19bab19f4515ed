// What a team writes today: Hono on Lambda, with its own middleware. WORK=policies verifies tokens, sets fields and gives each request an id; else it says hello.
import { Hono } from "hono";
import { handle } from "hono/aws-lambda";
import { jwk } from "hono/jwk";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";

const app = new Hono();
if (process.env.WORK === "policies") {
  app.use(requestId());
  app.use(secureHeaders());
  app.use(jwk({ keys: JSON.parse(process.env.KEYS), alg: ["ES256"], verification: { iss: "https://id.example/", aud: "shop" } }));
  app.use(async (c, next) => {
    await next();
    c.header("X-User", c.get("jwtPayload").sub);
  });
}
app.all("/*", (c) => c.text("hello"));

export const handler = handle(app);

// What a team writes today: Hono with its own middleware for tokens and security headers, and a limit of its own: of each
// isolate for itself (LIMIT=memory), or exact, by a Durable Object for each caller (LIMIT=object).
import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { jwt } from "hono/jwt";
import { proxy } from "hono/proxy";
import { secureHeaders } from "hono/secure-headers";

const LIMIT = 1_000_000;
const WINDOW = 60_000;

function count(window, now) {
  const current = window !== undefined && now < window.end ? window : { end: now + WINDOW, used: 0 };
  current.used += 1;
  return current;
}

const windows = new Map();

async function limit(c, next) {
  const { sub } = c.get("jwtPayload");
  const now = Date.now();
  let window;
  if (c.env.LIMIT === "object") {
    window = await c.env.LIMITS.getByName(sub).take();
  } else {
    window = count(windows.get(sub), now);
    windows.set(sub, window);
  }
  if (window.used > LIMIT) return c.text("too many requests", 429);
  await next();
  c.header("X-RateLimit-Limit", String(LIMIT));
  c.header("X-RateLimit-Remaining", String(LIMIT - window.used));
  c.header("X-RateLimit-Reset", String(Math.ceil((window.end - now) / 1000)));
}

const app = new Hono();
app.use(secureHeaders());
let verify;
app.use((c, next) => {
  verify ??= jwt({ secret: JSON.parse(c.env.KEY), alg: "ES256", verification: { iss: "https://id.example/", aud: "shop" } });
  return verify(c, next);
});
app.use(limit);
app.all("/*", (c) => {
  const { pathname, search } = new URL(c.req.url);
  return proxy(c.env.ORIGIN + pathname + search, {
    ...c.req,
    headers: { ...c.req.header(), authorization: undefined, "x-user": c.get("jwtPayload").sub },
  });
});

export default app;

export class RateLimit extends DurableObject {
  #window;

  constructor(context, env) {
    super(context, env);
    this.#window = context.storage.kv.get("window");
  }

  take() {
    this.#window = count(this.#window, Date.now());
    this.ctx.storage.kv.put("window", this.#window);
    return this.#window;
  }
}

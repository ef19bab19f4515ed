// Varnish: a cache, and measured as one.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

export const name = "Varnish";
export const kinds = ["cached"];
export const version = () => spawnSync("varnishd", ["-V"], { encoding: "utf8" }).stderr.match(/varnish-(\S+)/)[1];

export function command({ port, upstream, folder, write }) {
  const config = `vcl 4.1;\nbackend origin { .host = "127.0.0.1"; .port = "${upstream}"; }\n`;
  const file = write("origin.vcl", config);
  return ["varnishd", "-F", "-j", "none", "-n", join(folder, "varnish"), "-a", `127.0.0.1:${port}`, "-f", file, "-s", "malloc,64m"];
}

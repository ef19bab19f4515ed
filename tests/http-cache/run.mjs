// Runs http-cache-tests against `portico serve`, and compares what fails with expected.json.
//   node run.mjs            every test: fails if a test fails that is not listed, or passes that is
//   node run.mjs TEST…      only these, with all that is sent and received
// Needs what package-lock.json names, and cargo build --package portico, or PORTICO, the binary. It serves gateway.yaml.

import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { needed, workplace } from "../../benches/support.mjs";
import { complaint, count, KINDS, kind, others, passed, suites } from "./score.mjs";

const here = import.meta.dirname;
const target = process.env.CARGO_TARGET_DIR ?? resolve(here, "../../target");
const portico = needed(process.env.PORTICO ?? join(target, "debug/portico"));
const ids = process.argv.slice(2);
const tests = suites.flatMap((suite) => suite.tests);
const unknown = ids.filter((id) => !tests.some((test) => test.id === id));
if (unknown.length > 0) {
  console.error(`there is no test ${unknown.join(", ")}\nhelp: their names are the keys of ${join(target, "http-cache.json")} once all have run`);
  process.exit(2);
}
const { folder, children } = workplace();

/**
 * Starts a process that has to live as long as this one. Gives what `read` makes of the first line of which it makes anything.
 * `stdio` pipes the one of its streams that says something.
 */
function start(command, args, stdio, read) {
  const child = spawn(command, args, { stdio });
  children.add(child);
  const lines = [];
  child.once("close", (code, signal) => {
    console.error(`${lines.slice(-20).join("\n")}\n${command} ended too early: ${signal ?? code}`);
    process.exit(1);
  });
  return new Promise((done) => {
    createInterface({ input: child.stdout ?? child.stderr }).on("line", (line) => {
      lines.push(line);
      if (ids.length > 0) console.log(line);
      const found = read(line);
      if (found) done(found);
    });
  });
}

/** The results of these tests, by all of them if there are none. */
async function client(base, ids) {
  const child = spawn(process.execPath, [join(here, "client.mjs"), base, ...ids], { stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  const parts = [];
  child.stdout.on("data", (part) => parts.push(part));
  const code = await new Promise((done) => child.once("close", done));
  children.delete(child);
  if (code !== 0) throw new Error(`the client of http-cache-tests failed: ${code}`);
  return Buffer.concat(parts).toString();
}

const port = await start(process.execPath, [join(here, "origin.mjs")], ["ignore", "pipe", "inherit"], (line) => line);
const config = join(folder, "gateway.yaml");
writeFileSync(config, readFileSync(join(here, "gateway.yaml"), "utf8").replace("//ORIGIN", `//127.0.0.1:${port}`));
const serve = ["serve", "--config", config, "--listen", "127.0.0.1:0"];
const base = await start(portico, serve, ["ignore", "ignore", "pipe"], (line) => /listening on (http:[^" ]+)/.exec(line)?.[1]);

const written = await client(base, ids);
if (ids.length > 0) {
  console.log(written);
  process.exit();
}

const results = JSON.parse(written);
writeFileSync(join(target, "http-cache.json"), written);
const row = (name, counts) => console.log(name.padEnd(56) + counts.map((text) => String(text).padStart(10)).join(""));
row("passed, of", KINDS);
for (const { name, tests } of suites) row(name, count(results, tests).map(({ passed, of }) => (of ? `${passed}/${of}` : "")));
const total = count(results, tests);
row("all", total.map(({ passed, of }) => `${passed}/${of}`));
console.log();
row("passed", KINDS);
for (const cache of [{ name: "Portico", results }, ...others]) row(cache.name, count(cache.results, tests).map(({ passed }) => passed));
console.log();

const expected = JSON.parse(readFileSync(join(here, "expected.json"), "utf8"));
const listed = new Set(expected.flatMap((group) => group.tests));
const wrong = [...listed].filter((id) => !tests.some((test) => test.id === id)).map((id) => `${id}: there is no such test`);
for (const test of tests) {
  if (passed(results, test) && listed.has(test.id)) wrong.push(`${test.id}: passes (${kind(test)}): take it out of expected.json`);
  if (!passed(results, test) && !listed.has(test.id)) wrong.push(`${test.id}: fails (${kind(test)}): ${complaint(results, test)}`);
}
wrong.forEach((text) => console.log(text));
console.log(wrong.length ? `${wrong.length} tests are not as expected.json says` : "all tests are as expected.json says");
process.exit(wrong.length ? 1 : 0);

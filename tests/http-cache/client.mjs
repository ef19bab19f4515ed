// The client of http-cache-tests, as its cli.mjs runs it: asks the cache at BASE, and writes the results as JSON, by test.
//   node client.mjs BASE            every test
//   node client.mjs BASE TEST…      these, saying what is sent and received

import { getResults, runTests } from "http-cache-tests/client/runner.mjs";
import fetch from "node-fetch";
import { suites } from "./score.mjs";

const [base, ...ids] = process.argv.slice(2);
const chosen = suites.map(({ tests }) => ({ tests: tests.filter(({ id }) => ids.length === 0 || ids.includes(id)) }));
for (const test of chosen.flatMap(({ tests }) => tests)) test.dump = ids.length > 0;
// a hundred at once, as it does by itself: most of the time they wait for something to grow stale
await runTests(chosen, fetch, false, base);
console.log(JSON.stringify(getResults(), null, 2));

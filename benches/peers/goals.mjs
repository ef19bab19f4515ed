// What was hoped for, as ratios, and what became of it. Nothing fails where it is missed: the page says so.

import { ratios } from "../report/pairs.mjs";
import { median } from "../report/statistics.mjs";

/** The median of ours to theirs. */
const seen = (measured, scenario, peer, of) => median(ratios(measured.scenarios[scenario].pairs, peer, of));

const least = (scenario, peer, wanted, what) => ({ what, wanted: `at least ${wanted.toFixed(1)} × ${peer}`, scenario, peer, missed: (seen) => (wanted - seen) / wanted });

const GOALS = [
  least("plain", "nginx", 1, "plain proxy"),
  least("plain", "Envoy", 3, "plain proxy"),
  least("plain", "Traefik", 3, "plain proxy"),
  least("repeated", "HAProxy", 4, "policies, one token"),
  least("callers", "HAProxy", 1.2, "policies, 2,000 tokens"),
  { what: "processor time of a request with 10,000 routes", wanted: "0.95 to 1.05 × one with 10", scenario: "flat", peer: "Portico, 10 routes", of: "cpu", missed: (seen) => Math.abs(seen - 1) - 0.05 },
  { what: "p99 at half load", wanted: "at most 1.0 × nginx", scenario: "latency", peer: "nginx", of: "p99", missed: (seen) => seen - 1 },
];

/** Lines of a table: what, wanted, seen, and whether it is missed. */
export function goals(measured) {
  const lines = GOALS.map(({ what, wanted, scenario, peer, of, missed }) => [what, wanted, seen(measured, scenario, peer, of), missed]);
  return lines.map(([what, wanted, seen, missed]) => [what, wanted, `${seen.toFixed(2)} ×`, missed(seen) > 0 ? `missed by ${(missed(seen) * 100).toFixed(0)} %` : "reached"]);
}

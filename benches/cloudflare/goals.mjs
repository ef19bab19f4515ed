// What was hoped for of Workers, and what became of it.

import { ratios } from "../report/pairs.mjs";
import { median } from "../report/statistics.mjs";

const WANTED = 1.5;
const POLICIES = { memory: "policies, one token", fresh: "policies, a token for each request", object: "policies, one token, exact limit" };

/** Lines of the table of goals. */
export const goals = ({ scenarios }) =>
  Object.entries(POLICIES).map(([id, what]) => {
    const seen = median(ratios(scenarios[id].pairs, "Hono"));
    return [what, `at least ${WANTED.toFixed(1)} × Hono`, `${seen.toFixed(2)} ×`, seen < WANTED ? `missed by ${(((WANTED - seen) / WANTED) * 100).toFixed(0)} %` : "reached"];
  });

// Draws what scripts/measure-limits measured: for each store what was offered, and what passed of it by each algorithm.
//   node benches/limits/plot.mjs TABLE.csv >PLOT.svg

import { readFileSync } from "node:fs";
import { loader, parse, read, View } from "vega";
import { compile } from "vega-lite";

/** Stores, in the order in which they are drawn. */
const STORES = {
  native: "native: memory",
  native_redis: "native: two nodes, Redis",
  cloudflare: "Cloudflare: Durable Object",
  spin: "Spin: key-value",
  spin_redis: "Spin: two hosts, Redis",
  lambda: "Lambda: six functions, DynamoDB",
};

/** Colours that people who see colours differently can tell apart (Okabe and Ito). */
const COLOURS = { gcra: "#0072b2", sliding_window: "#d55e00", fixed_window: "#009e73" };

/** Requests a second that the limits let pass: `LIMIT` of tests/tests/limits/measure.rs. */
const LIMIT = 40;

const [, , table] = process.argv;
if (!table) {
  console.error("usage: node benches/limits/plot.mjs TABLE.csv >PLOT.svg");
  process.exit(2);
}
const format = { type: "csv", parse: { second: "number", offered: "number", admitted: "number" } };
const values = read(readFileSync(table, "utf8"), format).map((row) => ({ ...row, name: STORES[row.store] ?? row.store }));

const x = { field: "second", type: "quantitative", title: "seconds", axis: { grid: false } };
const y = { type: "quantitative", title: "requests a second" };
const { spec } = compile({
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: "white",
  data: { values },
  facet: { field: "name", type: "nominal", title: null, sort: Object.values(STORES) },
  columns: 3,
  spec: {
    width: 260,
    height: 150,
    layer: [
      { mark: { type: "line", color: "#999999", strokeDash: [4, 3] }, encoding: { x, y: { ...y, aggregate: "mean", field: "offered" } } },
      { mark: { type: "rule", color: "black", strokeWidth: 0.7 }, encoding: { y: { datum: LIMIT } } },
      {
        mark: { type: "line", interpolate: "step-after" },
        encoding: {
          x,
          y: { ...y, field: "admitted" },
          color: {
            field: "algorithm",
            title: "admitted (dashed: offered)",
            scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
            legend: { orient: "bottom" },
          },
        },
      },
    ],
  },
});
const view = new View(parse(spec), { loader: loader(), renderer: "none" });
process.stdout.write(await view.toSVG());

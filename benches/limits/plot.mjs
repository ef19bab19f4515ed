// Draws what scripts/measure-limits measured: for each store and algorithm what was offered (dashed), and what passed of it.
//   node benches/limits/plot.mjs TABLE.csv >PLOT.svg

import { readFileSync } from "node:fs";
import { loader, parse, read, View } from "vega";
import { compile } from "vega-lite";

/** Stores, in the order in which they are drawn. */
const STORES = {
  native: "native",
  native_redis: "native, Redis",
  cloudflare: "Cloudflare",
  spin: "Spin",
  spin_redis: "Spin, Redis",
  lambda: "Lambda",
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
const y = (field) => ({ field, type: "quantitative", title: "per second" });
const header = { title: null, labelFontSize: 11, labelFontWeight: "bold" };
const { spec } = compile({
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: "white",
  data: { values },
  facet: {
    row: { field: "name", sort: Object.values(STORES), header },
    column: { field: "algorithm", sort: Object.keys(COLOURS), header },
  },
  spec: {
    width: 230,
    height: 80,
    layer: [
      { mark: { type: "line", color: "#999999", strokeDash: [4, 3], interpolate: "step-after" }, encoding: { x, y: y("offered") } },
      { mark: { type: "rule", color: "black", strokeWidth: 0.7 }, encoding: { y: { datum: LIMIT } } },
      {
        mark: { type: "line", interpolate: "step-after" },
        encoding: {
          x,
          y: y("admitted"),
          color: {
            field: "algorithm",
            legend: null,
            scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
          },
        },
      },
    ],
  },
  config: { axis: { titleFontWeight: "normal" } },
});
const view = new View(parse(spec), { loader: loader(), renderer: "none" });
process.stdout.write(await view.toSVG());

// Curves as SVG: what grows with what.

import { OURS, THEIRS, drawing, text } from "./plot.mjs";

/** Another of ours. */
const SECOND = "#d55e00";
const [WIDE, TALL, LEFT, TOP, BELOW] = [300, 130, 60, 34, 46];
const CELL = { width: LEFT + WIDE + 40, height: TOP + TALL + BELOW };

/** From values to places between `from` and `to`, and the values at which a line is drawn. */
function axis(values, log, from, to) {
  if (log) {
    const [least, most] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
    const place = (value) => from + ((Math.log10(value) - least) / (most - least || 1)) * (to - from);
    return { place, ticks: Array.from({ length: most - least + 1 }, (_, index) => 10 ** (least + index)) };
  }
  // from 0, in steps of 1, 2 or 5 times a power of ten, of which there are five at most
  const most = Math.max(...values);
  const rough = 10 ** Math.floor(Math.log10(most / 5));
  const step = [1, 2, 5, 10].map((times) => times * rough).find((step) => most / step <= 5);
  const end = Math.ceil(most / step) * step;
  return { place: (value) => from + (value / end) * (to - from), ticks: Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step) };
}

const said = (value) => Number(value.toPrecision(6)).toLocaleString("en");

/**
 * Panels in two columns, or one where they are `wide`, each with axes of its own: `{ title, series: [{ name, theirs, points: [{ x, median, low, high }] }], log: { x, y } }`.
 * A vertical line at a point shows the range, if it has one; points without are too many for dots.
 */
export function curves(panels) {
  const columns = panels.some(({ wide }) => wide) ? 1 : 2;
  const stretch = columns === 1 ? 2 : 1;
  const parts = panels.flatMap(({ title, series, log }, index) => {
    const [left, top] = [(index % columns) * CELL.width + LEFT, Math.floor(index / columns) * CELL.height + TOP];
    const [right, bottom] = [left + WIDE * stretch, top + TALL];
    const all = series.flatMap(({ points }) => points);
    const x = axis(all.map(({ x }) => x), log.x, left, right);
    const y = axis(all.flatMap(({ median, low = median, high = median }) => [median, low, high]), log.y, bottom, top);
    const at = (value) => value.toFixed(1);
    const grid = [
      ...x.ticks.flatMap((value) => [
        `<line x1="${at(x.place(value))}" x2="${at(x.place(value))}" y1="${top}" y2="${bottom}" stroke="#dddddd"/>`,
        text(at(x.place(value)), bottom + 16, said(value), 'text-anchor="middle"'),
      ]),
      ...y.ticks.flatMap((value) => [
        `<line x1="${left}" x2="${right}" y1="${at(y.place(value))}" y2="${at(y.place(value))}" stroke="#dddddd"/>`,
        text(left - 6, at(y.place(value) + 4), said(value), 'text-anchor="end"'),
      ]),
    ];
    const ours = series.filter(({ theirs }) => !theirs);
    const lines = series.flatMap((one, number) => {
      const colour = one.theirs ? THEIRS : one === ours[0] ? OURS : SECOND;
      const { points } = one;
      const ranged = points.filter(({ low }) => low !== undefined);
      const name = series.length > 1 ? [text(left + number * 150, bottom + 33, one.name, `fill="${colour}" font-weight="bold"`)] : [];
      return [
        ...name,
        `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points.map(({ x: value, median }) => `${at(x.place(value))},${at(y.place(median))}`).join(" ")}"/>`,
        ...ranged.flatMap(({ x: value, median, low, high }) => [
          `<line x1="${at(x.place(value))}" x2="${at(x.place(value))}" y1="${at(y.place(low))}" y2="${at(y.place(high))}" stroke="${colour}"/>`,
          `<circle cx="${at(x.place(value))}" cy="${at(y.place(median))}" r="3" fill="${colour}"/>`,
        ]),
      ];
    });
    return [text(left, top - 10, title, 'font-weight="bold"'), ...grid, ...lines];
  });
  return drawing(CELL.width * 2, Math.ceil(panels.length / columns) * CELL.height, parts);
}

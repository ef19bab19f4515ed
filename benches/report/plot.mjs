// Plots as SVG, written down as they are: bars, dots and lines need no library.

/** Colours that people who see colours differently can tell apart (Okabe and Ito). */
export const [OURS, THEIRS] = ["#0072b2", "#999999"];
const TIMES = { p50: "#009e73", p99: "#0072b2", p999: "#d55e00" };

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
/** What is said, at a place; `more` is the element's other attributes. */
export const text = (x, y, said, more = "") => `<text x="${x}" y="${y}" ${more}>${escaped(said)}</text>`;
/** The whole file: `parts` are its elements. */
export const drawing = (width, height, parts) =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
export const short = (value) => (value >= 1_000 ? Math.round(value).toLocaleString("en") : value >= 10 ? value.toFixed(0) : value.toPrecision(2));

const [LABEL, BAR, VALUE, LINE] = [140, 200, 60, 18];

/** Panels of bars in two columns, each with a scale of its own: `{ title, bars: [{ name, median, low, high, ours }] }`. A line shows the range. */
export function bars(panels) {
  const label = Math.max(LABEL, ...panels.flatMap(({ bars }) => bars.map(({ name }) => 6 * name.length)));
  const width = label + BAR + VALUE;
  const rows = Math.ceil(panels.length / 2);
  const tall = (row) => 34 + LINE * Math.max(...panels.slice(row * 2, row * 2 + 2).map(({ bars }) => bars.length));
  const tops = Array.from({ length: rows + 1 }, (_, row) => Array.from({ length: row }, (_, before) => tall(before)).reduce((a, b) => a + b, 0));
  const drawn = panels.flatMap(({ title, bars }, index) => {
    const [left, top] = [(index % 2) * width, tops[index >> 1]];
    const most = Math.max(...bars.map(({ high }) => high));
    const x = (value) => left + label + (value / most) * BAR;
    const bar = ({ name, median, low, high, ours }, line) => {
      const middle = top + 34 + line * LINE;
      return [
        text(left + label - 6, middle + 4, name, 'text-anchor="end"'),
        `<rect x="${x(0)}" y="${middle - 6}" width="${(x(median) - x(0)).toFixed(1)}" height="12" fill="${ours ? OURS : THEIRS}"/>`,
        `<line x1="${x(low).toFixed(1)}" x2="${x(high).toFixed(1)}" y1="${middle}" y2="${middle}" stroke="black"/>`,
        text((x(high) + 5).toFixed(1), middle + 4, short(median)),
      ];
    };
    return [text(left + label, top + 20, title, 'font-weight="bold"'), ...bars.flatMap(bar)];
  });
  return drawing(width * 2, tops[rows] + 8, drawn);
}

/** A line of dots for each gateway on a logarithmic axis: `{ name, p50, p99, p999 }`, milliseconds. */
export function times(lines) {
  const all = lines.flatMap((line) => Object.keys(TIMES).map((at) => line[at]));
  const [least, most] = [Math.floor(Math.log10(Math.min(...all))), Math.ceil(Math.log10(Math.max(...all)))];
  const [left, wide, top] = [LABEL, 440, 40];
  const bottom = top + lines.length * LINE;
  const x = (value) => (left + ((Math.log10(value) - least) / (most - least || 1)) * wide).toFixed(1);
  const ticks = Array.from({ length: most - least + 1 }, (_, index) => 10 ** (least + index)).flatMap((value) => [
    `<line x1="${x(value)}" x2="${x(value)}" y1="${top - 10}" y2="${bottom}" stroke="#dddddd"/>`,
    text(x(value), bottom + 16, `${Number(value.toPrecision(1))} ms`, 'text-anchor="middle"'),
  ]);
  const legend = Object.entries(TIMES).map(([at, colour], index) => text(left + index * 60, 18, at.replace("p999", "p99.9"), `fill="${colour}" font-weight="bold"`));
  const dots = lines.flatMap((line, index) => {
    const y = top + index * LINE;
    const dot = ([at, colour]) => `<circle cx="${x(line[at])}" cy="${y}" r="4.5" fill="${colour}"/>`;
    const track = `<line x1="${x(line.p50)}" x2="${x(line.p999)}" y1="${y}" y2="${y}" stroke="#bbbbbb"/>`;
    return [text(left - 8, y + 4, line.name, 'text-anchor="end"'), track, ...Object.entries(TIMES).map(dot)];
  });
  return drawing(left + wide + 40, bottom + 30, [...legend, ...ticks, ...dots]);
}

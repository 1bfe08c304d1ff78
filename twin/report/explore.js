"use strict";
// Evaluates what Python fitted, and shows it; all that is known of errors is in the data. Texts
// are set as texts, never read as markup.
const data = JSON.parse(document.getElementById("explorer-data").textContent);
const { factors, figures, shape } = data;
const VERDICTS = ["surely", "perhaps", "no", "not known"];
const field = (name) => document.getElementById(name);

// Cell and share of the way through it, of each stop.
for (const factor of factors) {
  factor.cells = factor.stops.map((x) => {
    let cell = factor.at.length - 1;
    while (factor.at[cell] > x) cell -= 1;
    return cell;
  });
  factor.shares = factor.stops.map((x, k) => {
    const cell = factor.cells[k];
    const width = cell + 1 < factor.at.length ? factor.at[cell + 1] - factor.at[cell] : 1;
    return (x - factor.at[cell]) / width;
  });
}
const corners = [...Array(2 ** shape.length).keys()].map(
  (k) => shape.map((_, axis) => (k >> (shape.length - 1 - axis)) & 1));
const index = (cells, corner, size) =>
  size.reduce((flat, n, axis) => flat * n + cells[axis] + corner[axis], 0);
for (const figure of figures) {
  figure.given = figure.log
    ? figure.value.map((x) => (x === null ? null : Math.log(x))) : figure.value;
  figure.sizes = shape.map((_, axis) => shape.map((n, k) => (k === axis ? n - 1 : n)));
}
// Sum of numbers of the grid by the weights of a place; missing where one of them is.
const weighted = (numbers, cells, shares, size, skipped) => {
  let total = 0;
  for (const corner of corners) {
    if (skipped >= 0 && corner[skipped]) continue;
    let weight = 1;
    for (let axis = 0; axis < size.length; axis += 1)
      if (axis !== skipped) weight *= corner[axis] ? shares[axis] : 1 - shares[axis];
    if (weight > 0) {
      const one = numbers[index(cells, corner, size)];
      if (one === null) return NaN;
      total += weight * one;
    }
  }
  return total;
};
const evaluate = (figure, stops) => {
  const cells = factors.map((factor, k) => factor.cells[stops[k]]);
  const shares = factors.map((factor, k) => factor.shares[stops[k]]);
  let error = 0;
  for (let axis = 0; axis < shape.length; axis += 1) {
    const t = shares[axis];
    if (t > 0) {
      const stated = figure.errors[axis];
      if (stated === null) return { value: NaN, low: NaN, high: NaN, error: NaN };
      error += 4 * t * (1 - t) * weighted(stated, cells, shares, figure.sizes[axis], axis);
    }
  }
  const middle = weighted(figure.given, cells, shares, shape, -1);
  const value = figure.log ? Math.exp(middle) : middle;
  const size = figure.log ? value : 1;
  const added = figure.log ? value * Math.expm1(error) : error;
  const low = value - weighted(figure.below, cells, shares, shape, -1) * size - added;
  const high = value + weighted(figure.above, cells, shares, shape, -1) * size + added;
  return {
    value,
    low: figure.least !== null && low < figure.least ? figure.least : low,
    high: figure.most !== null && high > figure.most ? figure.most : high,
    error: added,
  };
};
const judge = (found, target) => {
  if (Number.isNaN(found.low) || Number.isNaN(found.high)) return 3;
  if (target.most) return found.high <= target.limit ? 0 : found.low > target.limit ? 2 : 1;
  return found.low >= target.limit ? 0 : found.high < target.limit ? 2 : 1;
};
// Verdict on a setting: what misses one target misses.
const verdict = (stops, targets) => {
  let worst = 0;
  for (const target of targets) {
    const one = judge(evaluate(figures[target.figure], stops), target);
    if (one === 2) return 2;
    worst = Math.max(worst, one);
  }
  return worst;
};
// The best of all settings: those of the factors that are chosen, the others as they are held.
const best = (targets, goal, highest, held) => {
  const counts = [0, 0, 0, 0];
  const settings = [];
  const stops = factors.map((_, k) => held[k] ?? 0);
  for (;;) {
    const value = evaluate(figures[goal], stops).value * (highest ? -1 : 1);
    const said = Number.isNaN(value) ? 3 : verdict(stops, targets);
    counts[said] += 1;
    if (said < 2) settings.push({ value, said, stops: [...stops] });
    let axis = shape.length - 1;
    while (axis >= 0 && (held[axis] !== null || stops[axis] === factors[axis].stops.length - 1)) {
      if (held[axis] === null) stops[axis] = 0;
      axis -= 1;
    }
    if (axis < 0) break;
    stops[axis] += 1;
  }
  const [surely, perhaps] = [0, 1].map((said) => {
    const fit = settings.filter((one) => one.said === said);
    const least = fit.reduce((min, one) => Math.min(min, one.value), Infinity);
    return fit.find((one) => one.value <= least + data.rounding * Math.abs(least));
  });
  // Others that surely meet the targets and may be as good: their intervals meet that of the best.
  let rivals = 0;
  if (surely) {
    const own = evaluate(figures[goal], surely.stops);
    for (const one of settings) {
      const other = evaluate(figures[goal], one.stops);
      if (one.said === 0 && one !== surely
        && !(highest ? other.high < own.low : other.low > own.high)) rivals += 1;
    }
  }
  const better = perhaps && !(surely
    && perhaps.value >= surely.value - data.rounding * Math.abs(surely.value));
  return { counts, rivals, surely: surely?.stops ?? null, perhaps: better ? perhaps.stops : null };
};

// Numbers as the reports write them: three figures.
const number = (value, size = value) => {
  const big = Math.abs(size);
  const places = big >= 100 || big === 0 ? 0
    : Math.min(8, Math.max(1, 2 - Math.floor(Math.log10(big))));
  const text = Math.abs(value).toFixed(places);
  const [whole, rest] = text.split(".");
  const sign = value < 0 && Number(text) ? "-" : "";
  return sign + whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? `.${rest}` : "");
};
const count = (n) => n.toLocaleString("en");
// Factor, text before and text after a number of a figure, in the unit that suits its size.
const LENGTHS = [[60, 1, " s"], [3600, 60, " min"], [172800, 3600, " h"], [Infinity, 86400, " d"]];
const scaled = (figure, size) => {
  if (figure.unit !== "s") return figure;
  const [, seconds, after] = LENGTHS.find(([limit]) => Math.abs(size) < limit);
  return { per: 1 / seconds, before: "", after };
};
const amount = (figure, value, size = value) => {
  const { per, before, after } = scaled(figure, size);
  return `${value < 0 ? "-" : ""}${before}${number(Math.abs(value * per), size * per)}${after}`;
};
const estimate = (figure, found) => {
  if (Number.isNaN(found.value)) return "-";
  const { per } = scaled(figure, found.value);
  const bound = (x) => number(x * per, found.value * per || x * per);
  if (Number.isNaN(found.low)) return `${amount(figure, found.value)} (no interval)`;
  if (found.low === found.high) return amount(figure, found.value);
  return `${amount(figure, found.value)} (${bound(found.low)} to ${bound(found.high)})`;
};

const stopsNow = () => factors.map((_, k) => Number(field(`factor-${k}`).value));
const heldNow = (stops) => stops.map((stop, k) => (field(`free-${k}`).checked ? null : stop));
const targetsNow = () => figures.flatMap((figure, k) => {
  const side = field(`side-${k}`).value;
  const limit = field(`limit-${k}`).value;
  if (!side || limit === "" || !Number.isFinite(Number(limit))) return [];
  return [{ figure: k, most: side === "most", limit: Number(limit) / figure.per }];
});
const inWords = (stops, chosen) => factors
  .map((factor, k) => `${factor.name} = ${factor.texts[stops[k]]}`)
  .filter((_, k) => chosen[k]).join("; ");
// The nearest point of the axes along which a figure is not interpolated.
const nearest = (figure, stops) => stops.map((stop, k) => {
  const factor = factors[k];
  if (figure.errors[k] !== null || factor.shares[stop] === 0) return stop;
  const level = factor.at[factor.cells[stop] + (factor.shares[stop] < 0.5 ? 0 : 1)];
  return factor.stops.indexOf(level);
});

const showFigures = (stops, targets) => figures.forEach((figure, k) => {
  let found = evaluate(figure, stops);
  let from = "as played";
  if (Number.isNaN(found.value)) {
    const near = nearest(figure, stops);
    const moved = near.map((stop, axis) => stop !== stops[axis]);
    found = evaluate(figure, near);
    from = moved.some(Boolean) ? `at the nearest point, ${inWords(near, moved)}` : "nothing counted";
    field(`figure-${k}`).classList.toggle("near", moved.some(Boolean));
  } else {
    field(`figure-${k}`).classList.remove("near");
    if (found.error > 0) from = `interpolated, ± ${amount(figure, found.error, found.value).replace(" %", " points")} for that`;
    else if (stops.some((stop, axis) => factors[axis].shares[stop] > 0)) from = "interpolated";
  }
  field(`figure-${k}`).textContent = estimate(figure, found);
  field(`from-${k}`).textContent = from;
  const target = targets.find((one) => one.figure === k);
  const said = field(`said-${k}`);
  const one = target ? judge(evaluate(figure, stops), target) : null;
  said.textContent = one === null ? "" : one === 2 ? "misses it" : one === 3 ? "not known"
    : `meets it ${VERDICTS[one]}`;
  said.className = one === null ? "" : ["ok", "", "bad", ""][one];
});
const showBest = (stops, targets) => {
  const held = heldNow(stops);
  const goal = Number(field("goal").value);
  const highest = field("highest").value === "yes";
  const found = best(targets, goal, highest, held);
  const all = found.counts.reduce((sum, n) => sum + n, 0);
  const free = held.map((one) => one === null);
  const where = held.every((one) => one === null) ? "" : ` with ${inWords(stops, held.map((one) => one !== null))}`;
  const [sure, may, not, unknown] = found.counts.map(count);
  const parts = [`${sure} meet the targets surely`, `${may} perhaps`, `${not} do not`];
  if (found.counts[3]) parts.push(`of ${unknown} it is not known`);
  const used = targets.map((one) => figures[one.figure]);
  const leaves = used.some((one) => one.guards) ? undefined : used.find((one) => one.leaves);
  const lost = leaves ? ` Who gave up is not in ${leaves.label}: set a target on solved or on the `
    + "abandonment rate, too." : "";
  field("counts").textContent = targets.length
    ? `Of ${count(all)} settings${where}: ${parts.join(", ")}.${lost}`
    : `No target is set: every one of ${count(all)} settings${where} counts.`;
  const price = (one) => `${inWords(one, free) || "this setting"}: ${figures[goal].label} `
    + estimate(figures[goal], evaluate(figures[goal], one));
  const rivals = found.rivals ? `; ${count(found.rivals)} more may be as good` : "";
  field("surely-text").textContent = found.surely ? price(found.surely) + rivals
    : "none is shown to meet all targets";
  field("perhaps-text").textContent = found.perhaps ? price(found.perhaps)
    : found.surely ? "none" : "none, either";
  field("surely-name").textContent = targets.length ? "Surely meets the targets" : "Best of all";
  field("perhaps-line").hidden = !targets.length;
  for (const [name, one] of [["surely", found.surely], ["perhaps", found.perhaps]]) {
    field(`${name}-set`).hidden = one === null;
    field(`${name}-set`).dataset.stops = JSON.stringify(one);
  }
};

const SVG = "http://www.w3.org/2000/svg";
const draw = (parent, name, attributes, text = "") => {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  one.textContent = text;
  parent.append(one);
  return one;
};
// Round numbers within a range, four to seven of them.
const ticks = (low, high) => {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((x) => x * power).find((x) => x >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step);
};
const showChart = (stops, targets) => {
  const figure = figures[Number(field("drawn").value)];
  const axis = Number(field("along-factor").value);
  const factor = factors[axis];
  const at = (stop) => evaluate(figure, stops.map((one, k) => (k === axis ? stop : one)));
  const points = factor.stops.map((x, stop) => ({ x, stop, ...at(stop) }))
    .filter((one) => !Number.isNaN(one.value))
    .map((one) => ({ ...one, low: Number.isNaN(one.low) ? one.value : one.low,
      high: Number.isNaN(one.high) ? one.value : one.high }));
  const target = targets.find((one) => figures[one.figure] === figure);
  const chart = field("chart");
  chart.replaceChildren();
  const [width, height, left, bottom] = [Math.max(280, field("plot").clientWidth), 280, 66, 44];
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  if (!points.length) {
    field("chart-words").textContent =
      `Of ${figure.label} nothing is known along ${factor.name} here, between points.`;
    return;
  }
  const reach = points.flatMap((one) => [one.low, one.high]).concat(target ? [target.limit] : []);
  let [low, high] = [Math.min(...reach) * figure.per, Math.max(...reach) * figure.per];
  if (high - low <= 1e-9 * Math.abs(high)) [low, high] = [low - 0.5, high + 0.5];
  const room = (high - low) * 0.05;
  const least = figure.least === null ? -Infinity : figure.least * figure.per;
  const most = figure.most === null ? Infinity : figure.most * figure.per;
  [low, high] = [Math.max(low - room, Math.min(least, low)), Math.min(high + room, Math.max(most, high))];
  const ends = [factor.stops[0], factor.stops[factor.stops.length - 1]];
  const span = ends[1] - ends[0] || 1;
  const x = (value) => left + 12 + ((value - ends[0]) / span) * (width - left - 30);
  const y = (value) => 12 + ((high - value * figure.per) / (high - low)) * (height - bottom - 16);
  const size = Math.max(Math.abs(low), Math.abs(high));
  for (const tick of ticks(low, high)) {
    const where = y(tick / figure.per);
    draw(chart, "line", { x1: left, x2: width - 8, y1: where, y2: where, class: "grid" });
    const text = `${tick < 0 ? "-" : ""}${figure.before}${Number(Math.abs(tick).toPrecision(3)).toLocaleString("en")}`;
    draw(chart, "text", { x: left - 6, y: where + 4, "text-anchor": "end" }, text + (size < 1e6 ? figure.after : ""));
  }
  const line = factor.stops.length > factor.at.length || factor.ordered;
  if (line) {
    const edge = [...points.map((one) => [one.x, one.high]), ...points.map((one) => [one.x, one.low]).reverse()];
    draw(chart, "polygon", { points: edge.map(([a, b]) => `${x(a)},${y(b)}`).join(" "), class: "band" });
    draw(chart, "polyline", { points: points.map((one) => `${x(one.x)},${y(one.value)}`).join(" "), class: "line" });
  }
  if (target) draw(chart, "line", { x1: left, x2: width - 8, y1: y(target.limit), y2: y(target.limit), class: "limit" });
  draw(chart, "line", { x1: x(factor.stops[stops[axis]]), x2: x(factor.stops[stops[axis]]), y1: 8, y2: height - bottom, class: "here" });
  const played = points.filter((one) => factor.shares[one.stop] === 0);
  for (const one of played) {
    draw(chart, "line", { x1: x(one.x), x2: x(one.x), y1: y(one.low), y2: y(one.high), class: "bar" });
    draw(chart, "circle", { cx: x(one.x), cy: y(one.value), r: 4, class: "dot" });
  }
  let free = -Infinity;
  factor.at.forEach((value, k) => {
    const text = factor.levels[k];
    const half = Math.min(text.length, 14) * 3.8;
    const where = Math.min(Math.max(x(value), left + half - 30), width - 4 - half);
    if (where - half < free) return;
    free = where + half + 6;
    draw(chart, "text", { x: where, y: height - bottom + 18, "text-anchor": "middle" },
      text.length > 14 ? `${text.slice(0, 13)}…` : text);
  });
  const name = factor.name.length > width / 8 ? `${factor.name.slice(0, width / 8 - 1)}…` : factor.name;
  draw(chart, "text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle", class: "name" }, name);
  const [first, last] = [points[0], points[points.length - 1]];
  field("chart-words").textContent = `${figure.label}: ${estimate(figure, first)} at ${factor.name} = `
    + `${factor.texts[first.stop]}, ${estimate(figure, last)} at ${factor.texts[last.stop]}. Dots were played`
    + `${line ? ", the line and its band lie between them" : ""}; the upright line is the setting`
    + `${target ? ", the dashed one the target" : ""}.`;
};

let waiting = false;
const show = () => {
  waiting = false;
  const [stops, targets] = [stopsNow(), targetsNow()];
  factors.forEach((factor, k) => {
    const text = factor.texts[stops[k]];
    if (field(`shown-${k}`)) {
      field(`shown-${k}`).textContent = text;
      field(`factor-${k}`).setAttribute("aria-valuetext", text);
    }
  });
  const between = stops.map((stop, k) => factors[k].shares[stop] > 0);
  const where = between.some(Boolean)
    ? `Between points that were played: ${inWords(stops, between)}.` : "This setting was played.";
  const said = targets.map((target) => {
    const found = evaluate(figures[target.figure], stops);
    return `${figures[target.figure].label} ${estimate(figures[target.figure], found)}, `
      + ["target met surely", "target met perhaps", "target missed", "not known"][judge(found, target)];
  });
  field("where").textContent = [where, ...said.map((one) => `${one}.`)].join(" ");
  showFigures(stops, targets);
  showBest(stops, targets);
  showChart(stops, targets);
};
const soon = () => {
  if (!waiting) requestAnimationFrame(show);
  waiting = true;
};
const set = (stops) => {
  stops.forEach((stop, k) => { field(`factor-${k}`).value = stop; });
  soon();
};
field("explore").addEventListener("input", soon);
for (const name of ["best", "along"]) field(name).addEventListener("input", soon);
for (const name of ["surely", "perhaps"])
  field(`${name}-set`).addEventListener("click", (event) => set(JSON.parse(event.currentTarget.dataset.stops)));
field("start").addEventListener("click", () => set(factors.map((factor) => factor.start)));
for (const one of document.querySelectorAll("form")) one.addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", soon);
show();

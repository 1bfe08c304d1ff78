// The page of the animation: clock, controls, slider, table. It follows the script of the desks.
const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const looks = [matchMedia("(prefers-color-scheme: dark)"), matchMedia("print")];
// Seconds that a dot is on its way, and pauses between two looks at the table, by the wall.
const TRAVEL = 0.45, TELL_MS = 250;
const desks = data.runs.map((run, k) => new Desk(run, document.querySelectorAll(".lanes")[k]));
const cells = [...document.querySelectorAll("#numbers tbody tr")].map((row) => [...row.cells]);
let moment = data.start, playing = false, last = 0, toldAt = 0, ink = {};

// A moment on the desk's clock.
function local(t) {
  const [, ahead] = data.clock[Math.max(0, place(data.clock.map(([at]) => at), t))];
  const [year, month, day] = data.date;
  const shown = new Date(Date.UTC(year, month - 1, day) + Math.floor(t + ahead) * 1000);
  return shown.toLocaleString("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric",
    month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  ink = { ink: of("--ink"), muted: of("--muted"), grid: of("--grid"), soft: of("--soft"),
          waits: of("--bad"), answered: of("--blue"), other: of("--brown") };
}

function layout() {
  const width = desks[0].canvas.getBoundingClientRect().width;
  // A page that is not shown yet has no width; it is told when it has one.
  if (!width) return;
  const most = new Map(data.statuses.map(({ code }) =>
    [code, Math.max(...desks.map((desk) => desk.fields.get(code).most))]));
  const limit = Math.max(420, Math.min(innerHeight * 0.75, 640));
  // Open tickets get the larger dots: they are what the day is about.
  const sizes = [4, 3, 2].flatMap((least) => [14, 12, 10, 8, 7, 6, 5, 4, 3, 2]
    .filter((pitch) => pitch >= least)
    .flatMap((pitch) => [6, 5, 4, 3, 2].filter((small) => small <= pitch && small >= least)
      .map((small) => [pitch, small])));
  for (const [pitch, small] of sizes) {
    for (const desk of desks) desk.arrange(width, pitch, small, most);
    if (Math.max(...desks.map((desk) => desk.high)) <= limit) break;
  }
  // The same field stands at the same height in both.
  const start = Math.max(...desks.map((desk) => desk.people()));
  for (const desk of desks) {
    const shift = start - desk.people();
    for (const field of desk.fields.values()) field.top += shift;
    desk.resize(desk.high + shift, ink);
  }
  drawCourse();
  draw();
}

// Open tickets over the whole window, above the slider.
function drawCourse() {
  const canvas = $("course"), pen = canvas.getContext("2d"), dense = devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.font = FONT.replace("13px", "11px");
  const low = height - 16, span = data.end - data.start;
  const open = desks.map((desk) => desk.levels.open);
  const most = Math.max(1, ...open.map((level) => level.values.reduce((a, b) => Math.max(a, b), 0)));
  const across = (t) => ((t - data.start) / span) * width;
  pen.fillStyle = ink.muted;
  pen.strokeStyle = ink.grid;
  let free = 0;
  for (const [at, name] of data.ticks) {
    const x = across(at);
    pen.beginPath(); pen.moveTo(x, 12); pen.lineTo(x, low); pen.stroke();
    const room = pen.measureText(name).width;
    if (x < free || x + room > width) continue;
    pen.fillText(name, x, height - 3);
    free = x + room + 8;
  }
  open.forEach((level, k) => {
    pen.strokeStyle = k ? ink.other : ink.answered;
    pen.setLineDash(k ? [4, 2] : []);
    pen.lineWidth = 1.5;
    pen.beginPath();
    const y = (value) => low - (value / most) * (low - 14);
    pen.moveTo(0, y(level.at(data.start)));
    for (let x = 1; x <= width; x++) {
      // The largest value that a pixel covers, so that no peak is lost.
      const first = place(level.times, data.start + (span * (x - 1)) / width);
      const final = place(level.times, data.start + (span * x) / width);
      let value = 0;
      for (let j = Math.max(0, first); j <= final; j++) value = Math.max(value, level.values[j]);
      pen.lineTo(x, y(value));
    }
    pen.stroke();
  });
  pen.setLineDash([]);
  pen.fillText(`open tickets, at most ${most.toLocaleString("en")}`, 0, 10);
  if (open.length > 1) {
    const named = `solid: ${data.runs[0].name}, dashed: ${data.runs[1].name}`;
    const room = pen.measureText(named).width;
    if (room < width - 170) pen.fillText(named, width - room, 10);
  }
}

const speed = () => Number($("speed").value);
const followed = () => Number($("follow").value) || 0;

function draw() {
  const travel = playing && !calm.matches ? TRAVEL * speed() : 0;
  for (const desk of desks) desk.draw(moment, travel, followed());
  $("clock").textContent = local(moment);
  $("moment").value = moment - data.start;
  const now = performance.now();
  if (playing && now - toldAt < TELL_MS) return;
  toldAt = now;
  tell();
}

// The table and, while nothing moves, a sentence for those who do not see the dots.
function tell() {
  $("moment").setAttribute("aria-valuetext", local(moment));
  data.rows.forEach((row, k) => desks.forEach((desk, j) => {
    const level = desk.levels[row.level];
    const value = "status" in row ? desk.fields.get(row.status).count : level?.at(moment);
    cells[k][j + 1].textContent = value === undefined ? "-" : value.toLocaleString("en");
  }));
  const id = followed();
  const words = desks.map((desk) => {
    const of = desks.length > 1 ? `${desk.run.name}: ` : "";
    const open = desk.levels.open.at(moment), queue = desk.levels.queue?.at(moment);
    const wait = queue === undefined ? "" : `, ${queue.toLocaleString("en")} wait for an agent`;
    return id ? `${of}ticket ${id}: ${desk.tell(id, moment)}` :
      `${of}${open.toLocaleString("en")} open${wait}`;
  });
  if (!playing) $("told").textContent = `${local(moment)}. ${words.join("; ")}.`;
  else if (id) $("told").textContent = `${words.join("; ")}.`;
  else $("told").textContent = "";
}

function show(t) {
  moment = Math.min(data.end, Math.max(data.start, t));
  draw();
}

function play(wanted) {
  playing = wanted;
  if (playing && moment >= data.end) moment = data.start;
  $("play").textContent = playing ? "Pause" : "Play";
  last = performance.now();
  if (playing) requestAnimationFrame(frame); else draw();
}

function frame(stamp) {
  if (!playing) return;
  const passed = Math.max(0, stamp - last) / 1000;
  // Those who want less motion get a step a second.
  if (calm.matches && passed < 1) { requestAnimationFrame(frame); return; }
  last = stamp;
  // After a pause of the browser nothing is skipped.
  show(moment + Math.min(passed, calm.matches ? 1 : 0.1) * speed());
  if (moment >= data.end) play(false); else requestAnimationFrame(frame);
}

$("play").addEventListener("click", () => play(!playing));
$("back").addEventListener("click", () => show(moment - 600));
$("on").addEventListener("click", () => show(moment + 600));
$("moment").addEventListener("input", (event) => show(data.start + Number(event.target.value)));
$("follow").addEventListener("input", () => { toldAt = 0; draw(); });
for (const desk of desks) {
  desk.canvas.addEventListener("click", (event) => {
    $("follow").value = desk.at(event.offsetX, event.offsetY) || "";
    toldAt = 0;
    draw();
  });
}
$("course").addEventListener("click", (event) =>
  show(data.start + (event.offsetX / event.target.clientWidth) * (data.end - data.start)));
addEventListener("keydown", (event) => {
  const focus = event.target instanceof Element ? event.target.tagName : "";
  if (event.ctrlKey || event.altKey || event.metaKey || focus === "SELECT") return;
  if (focus === "INPUT" && event.target.type === "number") return;
  const step = event.shiftKey ? 3600 : 60;
  if (event.key === " " && focus !== "BUTTON" && focus !== "A") play(!playing);
  else if (event.key === "ArrowLeft") show(moment - step);
  else if (event.key === "ArrowRight") show(moment + step);
  else if (event.key === "Home") show(data.start);
  else if (event.key === "End") show(data.end);
  else return;
  event.preventDefault();
});
new ResizeObserver(() => { colours(); layout(); }).observe($("course"));
for (const look of looks) look.addEventListener("change", () => { colours(); layout(); });
addEventListener("beforeprint", () => play(false));
colours();
layout();

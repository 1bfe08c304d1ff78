"use strict";
// One desk of the animation: its moves and levels, and how a moment of it is drawn. What is seen
// at a moment follows from the moves before it. Dots at rest stay on a canvas behind, on which only
// what changed is painted; a frame is a copy of it and the few dots that are on their way.
const data = JSON.parse(document.getElementById("data").textContent);
const ABSENT = 255, HEAD = 20, GAP = 8, LINE = 17;
// Dots of so many pixels are round; smaller ones would be smudges.
const ROUND = 5;
const NOWHERE = 0, ANSWERED = 1, WAITING = 2, MOVING = 3;
const FONT = '13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

const unpack = (Kind, text) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

// The last place of a rising array that is not after a moment; -1 before the first.
function place(times, t) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= t) low = middle + 1; else high = middle;
  }
  return low - 1;
}

function dot(pen, left, top, side) {
  if (side < ROUND) { pen.fillRect(left, top, side, side); return; }
  pen.beginPath();
  pen.arc(left + side / 2, top + side / 2, side / 2, 0, 2 * Math.PI);
  pen.fill();
}

class Level {
  constructor([times, values]) {
    this.times = unpack(Float64Array, times);
    this.values = unpack(Int32Array, values);
  }
  at(t) { return this.values[Math.max(0, place(this.times, t))]; }
}

class Desk {
  constructor(run, canvas) {
    this.run = run;
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.behind = document.createElement("canvas");
    this.ground = this.behind.getContext("2d");
    this.ink = {};
    this.width = this.dense = 1;
    this.ids = unpack(Int32Array, run.ids);
    this.ticket = unpack(Int32Array, run.ticket);
    this.time = unpack(Float64Array, run.time);
    this.status = unpack(Uint8Array, run.status);
    this.answered = unpack(Float64Array, run.answered);
    this.levels = Object.fromEntries(
      Object.entries(run.levels).map(([key, level]) => [key, new Level(level)]));
    const n = this.ids.length;
    this.now = new Uint8Array(n);
    this.slot = new Int32Array(n);
    this.since = new Float64Array(n);
    // How a dot lies on the canvas behind.
    this.lies = new Uint8Array(n);
    this.by_answer = Int32Array.from(this.answered.keys())
      .sort((a, b) => (this.answered[a] < this.answered[b] ? -1 :
        Number(this.answered[a] > this.answered[b])));
    for (const name of ["x", "y", "fromX", "fromY", "size"]) this[name] = new Float32Array(n);
    this.fields = new Map(data.statuses.map(({ code, name, over }) =>
      [code, { name, over, top: 0, high: 0, pitch: 1, across: 1,
               count: 0, most: 0, free: 0, taken: new Uint8Array(n) }]));
    this.begin();
    // Once through, to see how many places each field takes at most.
    this.to(data.end);
    this.begin();
  }

  // Before the first move of all.
  begin() {
    this.now.fill(ABSENT);
    this.lies.fill(0);
    this.next = this.heard = 0;
    this.moving = [];
    this.people_told = "";
    const { ground } = this;
    ground.setTransform(this.dense, 0, 0, this.dense, 0, 0);
    ground.clearRect(0, 0, this.width, this.behind.height);
    ground.font = FONT;
    ground.textBaseline = "middle";
    for (const field of this.fields.values()) {
      field.count = field.free = 0;
      field.told = -1;
      field.taken.fill(0);
      ground.fillStyle = this.ink.soft;
      ground.fillRect(0, field.top + HEAD - 2, this.width, field.high - HEAD + 2);
    }
  }

  // All moves up to a moment; a ticket takes the first place that is free.
  to(t) {
    const heard = this.answered[this.by_answer[this.heard - 1]];
    if (this.time[this.next - 1] > t || heard > t) this.begin();
    for (; this.next < this.time.length && this.time[this.next] <= t; this.next++) {
      const i = this.ticket[this.next], code = this.status[this.next];
      const old = this.fields.get(this.now[i]), field = this.fields.get(code);
      if (this.lies[i] === ANSWERED || this.lies[i] === WAITING) this.wipe(i);
      if (this.lies[i] !== MOVING) this.moving.push(i);
      this.lies[i] = MOVING;
      if (old) {
        old.count--;
        old.taken[this.slot[i]] = 0;
        old.free = Math.min(old.free, this.slot[i]);
      }
      const slot = this.slot[i] = field.taken.indexOf(0, field.free);
      field.taken[slot] = 1;
      field.free = slot + 1;
      field.count++;
      field.most = Math.max(field.most, slot + 1);
      this.now[i] = code;
      this.since[i] = this.time[this.next];
      const x = (slot % field.across) * field.pitch;
      const y = field.top + HEAD + Math.floor(slot / field.across) * field.pitch;
      // New tickets come from the left; what was there at the start does not move.
      const new_ = this.since[i] > data.start;
      this.fromX[i] = old ? this.x[i] : new_ ? -field.pitch : x;
      this.fromY[i] = old ? this.y[i] : y;
      this.x[i] = x;
      this.y[i] = y;
      this.size[i] = field.pitch - (field.pitch > 4 ? 2 : 1);
    }
  }

  // The room that agents and dots take at distances between dots of open and of other tickets.
  arrange(width, pitch, small, most) {
    this.width = width;
    let top = this.people();
    for (const [code, field] of this.fields) {
      field.pitch = field.over ? small : pitch;
      field.across = Math.max(1, Math.floor(width / field.pitch));
      field.top = top;
      field.high = HEAD + Math.ceil(most.get(code) / field.across) * field.pitch;
      top += field.high + GAP;
    }
    this.high = top;
  }

  people() {
    const lines = this.run.pools.length * 2 + ("asked" in this.levels ? 2 : 0);
    return lines ? lines * LINE + GAP * 2 : 0;
  }

  resize(high, ink) {
    this.ink = ink;
    this.dense = devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.behind]) {
      canvas.width = Math.round(this.width * this.dense);
      canvas.height = Math.round(high * this.dense);
    }
    this.begin();
  }

  // Draw a moment. Dots that moved within `travel` seconds of the desk are on their way.
  draw(t, travel, followed) {
    this.to(t);
    this.rest(t, travel);
    this.label(t);
    const { pen, now, answered, since, x, y, fromX, fromY, size, ink } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.behind, 0, 0);
    pen.setTransform(this.dense, 0, 0, this.dense, 0, 0);
    const along = (i) => {
      const way = Math.min(1, (t - since[i]) / travel), part = way * (2 - way);
      return [fromX[i] + (x[i] - fromX[i]) * part, fromY[i] + (y[i] - fromY[i]) * part];
    };
    for (const i of this.moving) {
      pen.fillStyle = answered[i] > t ? ink.waits : ink.answered;
      dot(pen, ...along(i), size[i]);
    }
    const i = this.ids.indexOf(followed);
    if (i < 0 || now[i] === ABSENT) return;
    const [left, top] = this.lies[i] === MOVING ? along(i) : [x[i], y[i]];
    pen.strokeStyle = ink.ink;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(left + size[i] / 2, top + size[i] / 2, Math.max(size[i], 8), 0, 2 * Math.PI);
    pen.stroke();
  }

  // Paint the dots that came to rest, and those anew whose ticket was answered.
  rest(t, travel) {
    const { ground, answered, since, lies, x, y, size } = this;
    const paint = (i) => {
      lies[i] = answered[i] > t ? WAITING : ANSWERED;
      ground.fillStyle = lies[i] === WAITING ? this.ink.waits : this.ink.answered;
      dot(ground, x[i], y[i], size[i]);
    };
    for (; this.heard < answered.length; this.heard++) {
      const i = this.by_answer[this.heard];
      if (answered[i] > t) break;
      if (lies[i] === WAITING) { this.wipe(i); paint(i); }
    }
    const moving = [];
    for (const i of this.moving) if (t - since[i] < travel) moving.push(i); else paint(i);
    this.moving = moving;
  }

  wipe(i) {
    this.lies[i] = NOWHERE;
    this.ground.fillStyle = this.ink.soft;
    this.ground.fillRect(this.x[i] - 0.5, this.y[i] - 0.5, this.size[i] + 1, this.size[i] + 1);
  }

  // Names and numbers that changed.
  label(t) {
    for (const field of this.fields.values()) {
      if (field.told === field.count) continue;
      field.told = field.count;
      this.ground.clearRect(0, field.top - 3, this.width, HEAD);
      this.words(field.name, field.count.toLocaleString("en"), field.top + HEAD / 2 - 1);
    }
    const told = Object.entries(this.levels)
      .map(([key, level]) => (/^(busy|staffed|away|asked|calls)/.test(key) ? level.at(t) : 0)).join();
    if (told === this.people_told) return;
    this.people_told = told;
    this.ground.clearRect(0, 0, this.width, this.people());
    this.drawPeople(t);
  }

  // A name and, to the right, its number.
  words(name, number, y) {
    const pen = this.ground, { ink } = this;
    pen.fillStyle = ink.ink;
    const room = pen.measureText(number).width + 6;
    let short = name;
    while (short && pen.measureText(short).width > this.width - room) short = short.slice(0, -1);
    pen.textAlign = "left";
    pen.fillText(short === name ? name : `${short.slice(0, -1)}…`, 0, y);
    pen.textAlign = "right";
    pen.fillText(number, this.width, y);
    pen.textAlign = "left";
  }

  drawPeople(t) {
    const { ink } = this;
    let y = LINE / 2;
    for (const pool of this.run.pools) {
      const at = (kind) => this.levels[`${kind}:${pool}`]?.at(t) ?? 0;
      const busy = at("busy"), known = `staffed:${pool}` in this.levels;
      const away = at("away"), shift = at("staffed");
      const free = Math.max(0, shift - away - busy);
      const past = busy > shift - away ? `${busy} busy after hours` : `${busy} of ${shift} busy`;
      this.words(pool, !known ? `${busy} busy` : busy + shift ? past : "off shift", y);
      this.boxes([[busy, ink.answered, true], [free, ink.ink, false], [away, ink.grid, true]],
                 y + LINE);
      y += 2 * LINE;
    }
    if (!("asked" in this.levels)) return;
    const asked = this.levels.asked.at(t), calls = this.levels.calls.at(t);
    this.words("Provider", `${asked} wait, ${calls} running`, y);
    this.boxes([[calls, ink.answered, true], [asked, ink.waits, true]], y + LINE);
  }

  // Squares in a row, narrower where they would not fit.
  boxes(parts, y) {
    const pen = this.ground, count = parts.reduce((sum, [n]) => sum + n, 0);
    const step = Math.min(14, this.width / Math.max(1, count)), side = Math.max(1, step - 3);
    let x = 0;
    for (const [n, colour, filled] of parts) {
      pen.fillStyle = pen.strokeStyle = colour;
      pen.lineWidth = 1.5;
      for (let k = 0; k < n; k++, x += step) {
        if (filled) pen.fillRect(x, y - 6, side, 11);
        else pen.strokeRect(x + 0.75, y - 5.25, Math.max(0.5, side - 1.5), 9.5);
      }
    }
  }

  // The dot at a place of the canvas: its ticket, or 0.
  at(px, py) {
    let best = 0, least = 12 * 12;
    for (let i = 0; i < this.now.length; i++) {
      if (this.now[i] === ABSENT) continue;
      const half = this.size[i] / 2;
      const dx = this.x[i] + half - px, dy = this.y[i] + half - py;
      if (dx * dx + dy * dy < least) { least = dx * dx + dy * dy; best = this.ids[i]; }
    }
    return best;
  }

  // A followed ticket in words.
  tell(id, t) {
    this.to(t);
    const i = this.ids.indexOf(id);
    if (i < 0) return "no such ticket here";
    if (this.now[i] === ABSENT) return "not there yet";
    return `${this.fields.get(this.now[i]).name} since ${local(this.since[i])}`;
  }
}

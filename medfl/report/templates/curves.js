// Draws the curves of a figure as SVG: over rounds or traffic, with the numbers under the pointer.
const MARKS = {o: "●", s: "■", "^": "▲", D: "◆", v: "▼", P: "✚", X: "✖", "<": "◀", ">": "▶", h: "◉", p: "◈", "*": "★", d: "◊", 8: "▣"};
const SVG = document.querySelector("svg")?.namespaceURI;
function make(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return parent.appendChild(made);
}
function steps(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= rough);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(+(k * step).toPrecision(6));
  return found;
}
function tens(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const one of high / low > 300 ? [1] : [1, 2, 5]) found.push(+(one * 10 ** power).toPrecision(3));
  return found.filter(one => one >= low * 0.999 && one <= high * 1.001);
}
class Curves {
  constructor(figure) {
    this.data = JSON.parse(figure.querySelector("script").textContent);
    this.board = figure.querySelector(".board");
    this.svg = this.board.querySelector("svg");
    this.hidden = new Set();
    this.over = 0; // 0: rounds, 1: megabytes
    this.near = null;
    this.head = document.createElement("div");
    this.tip = Object.assign(document.createElement("div"), {className: "tip", hidden: true});
    this.board.prepend(this.head);
    this.board.append(this.tip);
    ["Over rounds", "Over traffic"].forEach((words, which) => this.button(words, which === 0, () => { this.over = which; this.draw(); }, () => this.over === which).className = "view");
    this.head.append(document.createElement("br"));
    const groups = [...new Set(this.data.arms.map(arm => arm.group))];
    this.group = groups[0]; // who attacks: only arms that are attacked alike are shown together
    if (groups.length > 1) {
      groups.forEach(words => this.button(words, words === this.group, () => { this.group = words; this.draw(); }, () => this.group === words).className = "view");
      this.head.append(document.createElement("br"));
    }
    this.names = this.data.arms.map((arm, k) => {
      const one = this.button(`${MARKS[arm.marker] ?? "●"} ${arm.name}`, true, () => { this.hidden.has(k) ? this.hidden.delete(k) : this.hidden.add(k); this.draw(); }, () => !this.hidden.has(k));
      one.className = "arm";
      one.style.borderColor = arm.colour;
      one.addEventListener("pointerenter", () => this.light(k));
      one.addEventListener("pointerleave", () => this.light(null));
      return one;
    });
    this.svg.addEventListener("pointermove", event => this.point(event));
    this.svg.addEventListener("pointerleave", () => { this.tip.hidden = true; this.light(null); });
    this.draw();
    // A board that grows while it is observed would be an error: it is drawn in the next frame.
    const again = () => { if (this.board.clientWidth !== this.width) this.draw(); };
    new ResizeObserver(() => requestAnimationFrame(again)).observe(this.board);
  }
  button(words, pressed, act, state) {
    const made = Object.assign(document.createElement("button"), {type: "button", textContent: words});
    const show = () => this.head.querySelectorAll("button").forEach(one => one.setAttribute("aria-pressed", one.state()));
    made.state = state;
    made.setAttribute("aria-pressed", pressed);
    made.addEventListener("click", () => { act(); show(); });
    this.head.append(made);
    return made;
  }
  draw() {
    this.width = this.board.clientWidth;
    const wide = this.width - 12, high = Math.max(260, Math.min(400, 0.45 * wide)), {arms, limits, chance} = this.data;
    if (wide < 50) return;
    const svg = this.svg, over = this.over, left = 48, right = wide - 14, top = 12, bottom = high - 40;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    svg.setAttribute("height", high);
    this.names.forEach((one, k) => { one.hidden = arms[k].group !== this.group; });
    const shown = arms.map((arm, k) => ({...arm, k})).filter(arm => arm.group === this.group && !this.hidden.has(arm.k));
    const xs = shown.flatMap(arm => [...arm.points, ...arm.stopped.flat()].map(one => one[over])).filter(x => over === 0 || x > 0);
    const ys = shown.flatMap(arm => [...arm.points.flatMap(one => [one[2] - (one[3] ?? 0), one[2] + (one[3] ?? 0)]), ...arm.stopped.flat().map(one => one[2]), ...(arm.everyone ? [arm.everyone[0]] : [])]);
    if (chance !== null) ys.push(chance);
    const cut = y => Math.max(limits[0], limits[1] === null ? y : Math.min(limits[1], y));
    let [low, most] = [Math.min(...ys), Math.max(...ys)].map(cut);
    if (!ys.length) [low, most] = [0, 1];
    const pad = 0.04 * (most - low || 1);
    [low, most] = [cut(low - pad), cut(most + pad)];
    const first = xs.length ? Math.min(...xs) : 1, last = xs.length ? Math.max(...xs, first + (over ? first * 0.01 : 1)) : 2;
    const share = x => over === 0 ? (x - first) / (last - first) : Math.log(x / first) / Math.log(last / first);
    const X = x => left + 8 + share(x) * (right - left - 16), Y = y => bottom - (cut(y) - low) / (most - low) * (bottom - top);
    for (const y of steps(low, most, 6)) {
      make(svg, "line", {x1: left, x2: right, y1: Y(y), y2: Y(y), stroke: "#e3e3e3"});
      make(svg, "text", {x: left - 6, y: Y(y) + 4, "text-anchor": "end"}, y);
    }
    const marks = over === 0 ? steps(first, last, Math.min(10, wide / 60)).filter(Number.isInteger) : tens(first, last);
    let edge = -Infinity;
    for (const x of marks) {
      if (X(x) - edge < 34) continue;
      edge = X(x);
      make(svg, "line", {x1: edge, x2: edge, y1: bottom, y2: bottom + 4, stroke: "#777"});
      make(svg, "text", {x: edge, y: bottom + 17, "text-anchor": "middle"}, x.toLocaleString("en"));
    }
    make(svg, "path", {d: `M${left},${top}V${bottom}H${right}`, fill: "none", stroke: "#777"});
    make(svg, "text", {x: (left + right) / 2, y: high - 6, "text-anchor": "middle"}, over === 0 ? "Round" : "Traffic up and down, all clients (MB)");
    make(svg, "text", {transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, this.data.y);
    if (chance !== null) make(svg, "line", {x1: left, x2: right, y1: Y(chance), y2: Y(chance), stroke: "#000", "stroke-dasharray": "1.5 2.5"});
    this.places = [];
    for (const arm of shown) this.arm(arm, X, Y, left, right, shown.length);
    this.light(this.near);
  }
  arm(arm, X, Y, left, right, count) {
    const group = make(this.svg, "g", {"data-arm": arm.k, stroke: arm.colour, fill: "none", "stroke-width": 1.7});
    const {over} = this, points = arm.points.filter(one => over === 0 || one[1] > 0);
    const place = (x, y, words) => this.places.push({x, y, k: arm.k, words});
    const line = (some, more) => make(group, "path", {d: "M" + some.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L"), "stroke-dasharray": arm.dash, ...more});
    const say = (x, y, sd) => `${arm.name}: ${y.toFixed(this.data.digits)}${sd ? " ± " + sd.toFixed(this.data.digits) : ""}, ${over === 0 ? "round " + x : x.toLocaleString("en") + " MB"}`;
    let end = right;
    if (points.length) {
      const top = points.map(one => [X(one[over]), Y(one[2] + (one[3] ?? 0))]), down = points.map(one => [X(one[over]), Y(one[2] - (one[3] ?? 0))]).reverse();
      if (points.some(one => one[3])) make(group, "path", {d: "M" + [...top, ...down].map(one => one.map(n => n.toFixed(1))).join("L") + "Z", fill: arm.colour, stroke: "none", opacity: count > 6 ? 0.1 : 0.18});
      line(points.map(one => [X(one[over]), Y(one[2])]));
      points.forEach(one => place(X(one[over]), Y(one[2]), say(one[over], one[2], one[3])));
      const step = Math.max(1, Math.floor(points.length / 7));
      points.forEach((one, k) => { if (k % step === arm.k % step) make(group, "text", {x: X(one[over]), y: Y(one[2]) + 3.5, "text-anchor": "middle", "font-size": 10, stroke: "none", style: `fill:${arm.colour}`}, MARKS[arm.marker] ?? "●"); });
      end = X(points.at(-1)[over]);
    } else if (over === 1 && arm.points.length) { // nothing travels: a level line at the last value
      const one = arm.points.at(-1);
      line([[left, Y(one[2])], [right, Y(one[2])]]);
      for (let x = left; x <= right; x += 12) place(x, Y(one[2]), `${arm.name}: ${one[2].toFixed(this.data.digits)}${one[3] ? " ± " + one[3].toFixed(this.data.digits) : ""}, no traffic`);
    }
    if (arm.everyone && arm.points.length) {
      const y = Y(arm.everyone[0]);
      make(group, "path", {d: `M${end - 5},${y}l5,-5l5,5l-5,5Z`, fill: "#fff"});
      place(end, y, `${arm.name}, for everyone: ${arm.everyone[0].toFixed(this.data.digits)}${arm.everyone[1] ? " ± " + arm.everyone[1].toFixed(this.data.digits) : ""}`);
    }
    for (const run of arm.stopped.map(run => run.filter(one => over === 0 || one[1] > 0)).filter(run => run.length)) {
      const ends = run.map(one => [X(one[over]), Y(one[2])]), [x, y] = ends.at(-1);
      line(ends, {"stroke-width": 0.9});
      make(group, "path", {d: `M${x - 4},${y - 4}l8,8m0,-8l-8,8`});
      place(x, y, `${arm.name}: diverged after round ${run.at(-1)[0]}`);
    }
  }
  light(k) {
    this.near = k;
    for (const group of this.svg.querySelectorAll("g")) group.classList.toggle("faint", k !== null && +group.dataset.arm !== k);
  }
  point(event) {
    const box = this.svg.getBoundingClientRect(), at = [event.clientX - box.left, event.clientY - box.top];
    let best = null, least = 40 ** 2;
    for (const one of this.places ?? []) {
      const far = (one.x - at[0]) ** 2 + (one.y - at[1]) ** 2;
      if (far < least) [best, least] = [one, far];
    }
    this.tip.hidden = !best;
    this.light(best && best.k);
    if (!best) return;
    this.tip.textContent = best.words;
    const x = Math.min(Math.max(0, best.x + 10), this.board.clientWidth - this.tip.offsetWidth - 4);
    this.tip.style.left = `${x}px`;
    this.tip.style.top = `${best.y + this.svg.offsetTop - 30}px`;
  }
}
const drawn = [...document.querySelectorAll("figure.curves")].map(figure => new Curves(figure));
addEventListener("beforeprint", () => drawn.forEach(one => one.draw()));

const [NX, NY, NZ] = page.size;
const STEP = page.spacing;
const MODES = {
  overlay: "Overlay: fixed image green, moving image magenta; where both are bright, white.",
  checkerboard: "Checkerboard: tiles of the fixed and the moving image in turn; structures should run on across borders.",
  blink: "Blink: fixed and moving image in turn; what jumps does not fit.",
  difference: "Difference: fixed image minus the grey that the moving image lets one expect there (mean fixed grey at each moving grey, at the last stage): red where the fixed image is brighter, blue where it is darker.",
  fixed: "The fixed image alone.",
  moving: "The moving image alone, on the grid of the fixed one.",
};
const MAPS = {
  none: "",
  displacement: "Displacement: length of the field alone, without the linear stage.",
  grid: "Grid: lines of the moving image, straight there, where the field brings them.",
  arrows: "Arrows: from a point of the fixed image to where the field takes it, in true length.",
  jacobian: "Jacobian: logarithm of the field's determinant: red where the moving image is larger, blue where it is smaller, green where it folds.",
  agreement: `Agreement: squared correlation, in a Gaussian window of ${page.maps.agreement.window} mm, of the fixed image with what the moving image's greys let one expect: 1 is the best, nothing is drawn where a window is flat. Low values inside the body are where to look twice.`,
};
const COLOURS = ["#ff4d4d", "#4dd2ff", "#ffd24d", "#7dff6b", "#ff8cf0", "#ff9a3d", "#b79bff", "#3dffc8"];
const state = { stage: page.stages.length - 1, mode: "overlay", map: "none", strength: 0.55,
  at: page.focus.slice(), flipped: false, cross: true, labels: true };

// === Volumes ===

async function unpack(packed, size, channels) {
  const picture = new Image();
  picture.src = packed.url;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const sheet = context.getImageData(0, 0, picture.width, picture.height).data;
  const [nx, ny, nz] = size, [width, height] = packed.tile;
  const values = new Uint8Array(nx * ny * nz * channels);
  for (let z = 0, to = 0; z < nz; z++) {
    const left = (z % packed.columns) * width, top = Math.floor(z / packed.columns) * height;
    for (let y = 0; y < ny; y++) {
      let from = 4 * ((top + y) * picture.width + left);
      for (let x = 0; x < nx; x++, from += 4)
        for (let c = 0; c < channels; c++) values[to++] = sheet[from + c];
    }
  }
  return { values, size, channels };
}

const at = (volume, x, y, z, c = 0) =>
  volume.values[(x + volume.size[0] * (y + volume.size[1] * z)) * volume.channels + c];
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// A map's value at a voxel of the image, in between linearly; both grids begin at one corner.
function between(map, spacing, voxel, c = 0) {
  const low = [], share = [];
  for (let a = 0; a < 3; a++) {
    const place = clamp((voxel[a] + 0.5) * STEP[a] / spacing[a] - 0.5, 0, map.size[a] - 1);
    low[a] = Math.min(Math.floor(place), Math.max(map.size[a] - 2, 0));
    share[a] = place - low[a];
  }
  let sum = 0;
  for (let corner = 0; corner < 8; corner++) {
    let weight = 1;
    const index = low.map((n, a) => {
      const far = corner >> a & 1;
      weight *= far ? share[a] : 1 - share[a];
      return Math.min(n + far, map.size[a] - 1);
    });
    if (weight) sum += weight * at(map, ...index, c);
  }
  return sum;
}
const nearest = (map, spacing, voxel) => at(map, ...voxel.map((n, a) =>
  clamp(Math.floor((n + 0.5) * STEP[a] / spacing[a]), 0, map.size[a] - 1)));
const moved = (voxel, axis) => (between(volumes.displacement, page.maps.spacing, voxel, axis) / 127.5 - 1) * page.maps.longest;
const logarithm = (voxel) => (nearest(volumes.determinant, page.maps.spacing, voxel) / 127.5 - 1) * page.maps.log_range;
const folds = (voxel) => nearest(volumes.determinant, page.maps.spacing, voxel) === 0;
function length(voxel) {
  const parts = [0, 1, 2].map((axis) => moved(voxel, axis));
  const still = page.maps.longest / 127; // half a step of 8 bits along each axis is no motion
  const found = Math.hypot(...parts);
  return found < still ? 0 : found;
}

// === Colours ===

const ramp = (stops) => (share) => {
  const place = clamp(share, 0, 1) * (stops.length - 1);
  const k = Math.min(Math.floor(place), stops.length - 2);
  return stops[k].map((from, c) => from + (stops[k + 1][c] - from) * (place - k));
};
const HEAT = ramp([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]);
const SIGNED = ramp([[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]]);
const TRUST = ramp([[215, 48, 39], [253, 174, 97], [255, 255, 191], [166, 217, 106], [26, 152, 80]]);
const BARS = {
  displacement: [HEAT, () => ["0", `${longest.toFixed(1)} mm`]],
  jacobian: [SIGNED, () => [`J = ${Math.exp(-page.maps.log_range).toFixed(2)}`, Math.exp(page.maps.log_range).toFixed(0)]],
  agreement: [TRUST, () => ["0", "1"]],
};

// === Panels ===

let volumes, longest = 0;
const panels = [];

function build() {
  document.getElementById("title").textContent = page.title;
  const notes = document.getElementById("notes");
  for (const note of page.notes)
    make("p", notes, note).className = note.startsWith("doubtful") ? "note doubt" : "note";
  buttons("stage", page.stages.map((stage) => stage.name), (k) => { state.stage = k; }, () => state.stage);
  named("mode", Object.keys(MODES));
  named("map", Object.keys(MAPS).filter((name) => page.maps.moved || name === "none" || name === "agreement"));
  const shown = ["cross", ...(page.labels ? ["labels"] : [])];
  buttons("show", shown, (k) => { state[shown[k]] = !state[shown[k]]; }, (k) => state[shown[k]] ? k : -1);
  document.getElementById("strength").addEventListener("input", (event) => {
    state.strength = event.target.value / 100;
    draw();
  });
  const main = document.getElementById("panels");
  main.style.gridTemplateColumns = page.planes.map((plane) =>
    `minmax(0, ${(page.size[plane.right] * STEP[plane.right]).toFixed(1)}fr)`).join(" ");
  if (page.planes.length === 1) { // a slice: as large as the window shows of it
    const [plane] = page.planes;
    const ratio = page.size[plane.right] * STEP[plane.right] / (page.size[plane.up] * STEP[plane.up]);
    main.style.maxWidth = `${(75 * ratio).toFixed(1)}vh`;
    document.getElementById("help").textContent = "Click: a point; space: the other image.";
  }
  for (const plane of page.planes) panels.push(panel(main, plane));
  for (const { title, url } of page.pictures) {
    const card = make("div", document.getElementById("tables"));
    card.className = "card";
    make("h2", card, title);
    Object.assign(make("img", card), { src: url, alt: title });
  }
  for (const table of page.tables) tabulate(table);
}

function buttons(id, names, choose, chosen) {
  const room = document.getElementById(id);
  names.forEach((name, k) => {
    const button = make("button", room, name);
    button.dataset.name = name;
    button.addEventListener("click", () => { choose(k); draw(); });
  });
  room.refresh = () => room.querySelectorAll("button").forEach((button, k) =>
    button.setAttribute("aria-pressed", String(chosen(k) === k)));
}
const named = (id, names) =>
  buttons(id, names, (k) => { state[id] = names[k]; }, () => names.indexOf(state[id]));

function panel(main, plane) {
  const figure = make("figure", main), canvas = make("canvas", figure);
  canvas.id = plane.name;
  canvas.style.aspectRatio = `${page.size[plane.right] * STEP[plane.right]} / ${page.size[plane.up] * STEP[plane.up]}`;
  const caption = make("figcaption", figure);
  make("span", caption, plane.name);
  const slider = make("input", caption), said = make("output", caption);
  Object.assign(slider, { type: "range", min: 0, max: page.size[plane.cut] - 1, id: `${plane.name}-slice` });
  slider.setAttribute("aria-label", `${plane.name} slice`);
  slider.hidden = page.size[plane.cut] === 1;
  const go = (index) => { state.at[plane.cut] = clamp(index, 0, page.size[plane.cut] - 1); draw(); };
  slider.addEventListener("input", () => go(Number(slider.value)));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    go(state.at[plane.cut] - Math.sign(event.deltaY));
  }, { passive: false });
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width, down = (event.clientY - box.top) / box.height;
    const counts = [page.size[plane.right], page.size[plane.up]];
    state.at[plane.right] = clamp(Math.floor((1 - across) * counts[0]), 0, counts[0] - 1);
    state.at[plane.up] = clamp(Math.floor((1 - down) * counts[1]), 0, counts[1] - 1);
    draw();
  };
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); point(event); });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
  return { plane, canvas, slider, said, small: document.createElement("canvas") };
}

// === Drawing ===

function draw() {
  for (const id of ["stage", "mode", "map", "show"]) document.getElementById(id).refresh();
  for (const each of panels) slice(each);
  document.getElementById("explain").textContent = [MODES[state.mode], MAPS[state.map]].join(" ").trim();
  bar();
  tell();
}

function slice({ plane, canvas, slider, said, small }) {
  const { cut, right, up } = plane, width = page.size[right], height = page.size[up];
  small.width = width;
  small.height = height;
  const picture = new ImageData(width, height), pixels = picture.data;
  const stage = volumes.stages[state.stage], colour = state.map in BARS ? painter() : null;
  const mode = state.mode === "blink" ? (state.flipped ? "moving" : "fixed") : state.mode;
  const tile = Math.max(width * STEP[right], height * STEP[up]) / 8;
  const voxel = [0, 0, 0];
  voxel[cut] = state.at[cut];
  for (let row = 0, to = 0; row < height; row++)
    for (let column = 0; column < width; column++, to += 4) {
      voxel[right] = width - 1 - column; // the patient's right, and front, on the left
      voxel[up] = height - 1 - row;
      const f = at(volumes.fixed, ...voxel), m = at(stage.image, ...voxel);
      let red = f, green = f, blue = f;
      if (mode === "moving") red = green = blue = m;
      else if (mode === "overlay") red = blue = m;
      else if (mode === "checkerboard") {
        const other = Math.floor((column + 0.5) * STEP[right] / tile) + Math.floor((row + 0.5) * STEP[up] / tile);
        if (other % 2) red = green = blue = m;
      } else if (mode === "difference") {
        const gap = f - page.expected[m];
        red = 2 * Math.max(gap, 0);
        blue = 2 * Math.max(-gap, 0);
        green = 0.7 * Math.min(red, blue) + 0.25 * Math.abs(gap);
      }
      const over = colour && colour(voxel);
      if (over) {
        const share = over[3] ?? state.strength;
        red += (over[0] - red) * share;
        green += (over[1] - green) * share;
        blue += (over[2] - blue) * share;
      }
      pixels[to] = red;
      pixels[to + 1] = green;
      pixels[to + 2] = blue;
      pixels[to + 3] = 255;
    }
  small.getContext("2d").putImageData(picture, 0, 0);
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(box.width * ratio));
  canvas.height = Math.max(1, Math.round(box.height * ratio));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  const view = { context, plane, x: (n) => (width - n - 0.5) / width * canvas.width,
    y: (n) => (height - n - 0.5) / height * canvas.height, pixel: canvas.width / (width * STEP[right]), ratio };
  if (state.map === "grid") grid(view);
  if (state.map === "arrows") arrows(view);
  if (state.labels && volumes.labels) {
    outlines(view, volumes.labels, (value) => COLOURS[(value - 1) % COLOURS.length], 2);
    if (stage.labels && mode !== "fixed") outlines(view, stage.labels, () => "#ffffff", 1);
  }
  if (state.cross) cross(view);
  letters(view, canvas);
  slider.value = state.at[cut];
  const world = page.affine[cut].reduce((sum, factor, a) => sum + factor * (a < 3 ? state.at[a] : 1), 0);
  said.textContent = `${["LR", "PA", "IS"][cut][world >= 0 ? 1 : 0]} ${Math.abs(world).toFixed(1)} mm`;
}

function painter() {
  const strength = state.strength;
  if (state.map === "displacement") return (voxel) => HEAT(length(voxel) / longest);
  if (state.map === "agreement") {
    const { spacing } = page.maps.agreement;
    return (voxel) => {
      const value = nearest(volumes.agreement, spacing, voxel);
      return value ? TRUST((value - 1) / 254) : null;
    };
  }
  return (voxel) => {
    if (folds(voxel)) return [57, 255, 20, Math.max(strength, 0.8)];
    const value = logarithm(voxel) / page.maps.log_range;
    const clear = clamp(3 * Math.abs(value), 0.1, 1); // what keeps its volume leaves the image to see
    return [...SIGNED((value + 1) / 2), strength * clear];
  };
}

function grid({ context, plane, x, y, ratio }) {
  const { right, up } = plane, voxel = state.at.slice();
  context.strokeStyle = `rgba(255, 226, 122, ${0.25 + 0.7 * state.strength})`;
  context.lineWidth = ratio;
  // A line of the moving image, straight there, is where the moved coordinate has one value.
  const every = Math.max(page.size[right] * STEP[right], page.size[up] * STEP[up]) / 24; // mm
  const step = [Math.max(1, Math.round(2 / STEP[right])), Math.max(1, Math.round(2 / STEP[up]))];
  const columns = Math.floor((page.size[right] - 1) / step[0]) + 1, rows = Math.floor((page.size[up] - 1) / step[1]) + 1;
  for (const axis of [right, up]) {
    const value = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        voxel[right] = column * step[0];
        voxel[up] = row * step[1];
        value[row * columns + column] = (voxel[axis] * STEP[axis] + moved(voxel, axis)) / every;
      }
    context.beginPath();
    for (let row = 0; row + 1 < rows; row++)
      for (let column = 0; column + 1 < columns; column++) cell(row, column, value);
    context.stroke();
  }
  function cell(row, column, value) {
    const corner = (r, c) => value[(row + r) * columns + column + c];
    const ends = [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]];
    const all = [corner(0, 0), corner(0, 1), corner(1, 1), corner(1, 0)];
    for (let level = Math.ceil(Math.min(...all)); level <= Math.max(...all); level++) {
      const found = [];
      for (const [r0, c0, r1, c1] of ends) {
        const from = corner(r0, c0), to = corner(r1, c1);
        if ((from < level) === (to < level)) continue;
        const share = (level - from) / (to - from);
        found.push([(column + c0 + (c1 - c0) * share) * step[0], (row + r0 + (r1 - r0) * share) * step[1]]);
      }
      if (found.length < 2) continue;
      context.moveTo(x(found[0][0]), y(found[0][1]));
      context.lineTo(x(found[1][0]), y(found[1][1]));
    }
  }
}

function arrows({ context, plane, x, y, pixel, ratio }) {
  const { right, up } = plane, voxel = state.at.slice();
  context.strokeStyle = `rgba(255, 226, 122, ${0.3 + 0.7 * state.strength})`;
  context.lineWidth = 1.3 * ratio;
  const every = Math.max(page.size[right] * STEP[right], page.size[up] * STEP[up]) / 28;
  context.beginPath();
  for (let u = every / 2; u < page.size[right] * STEP[right]; u += every)
    for (let v = every / 2; v < page.size[up] * STEP[up]; v += every) {
      voxel[right] = u / STEP[right] - 0.5;
      voxel[up] = v / STEP[up] - 0.5;
      const dx = -moved(voxel, right) * pixel, dy = -moved(voxel, up) * pixel;
      const size = Math.hypot(dx, dy), left = x(voxel[right]), top = y(voxel[up]);
      if (size < 2 * page.maps.longest / 255 * pixel || size < ratio) continue;
      const head = Math.min(0.4 * size, 5 * ratio), turn = Math.atan2(dy, dx);
      context.moveTo(left, top);
      context.lineTo(left + dx, top + dy);
      for (const side of [2.6, -2.6]) {
        context.moveTo(left + dx, top + dy);
        context.lineTo(left + dx + head * Math.cos(turn + side), top + dy + head * Math.sin(turn + side));
      }
    }
  context.stroke();
}

function outlines({ context, plane, x, y, ratio }, labels, colour, width) {
  const { right, up } = plane, voxel = state.at.slice(), paths = {};
  const label = (u, v) => {
    if (u < 0 || v < 0 || u >= page.size[right] || v >= page.size[up]) return 0;
    voxel[right] = u;
    voxel[up] = v;
    return at(labels, ...voxel);
  };
  for (let u = 0; u < page.size[right]; u++)
    for (let v = 0; v < page.size[up]; v++) {
      const own = label(u, v);
      if (!own) continue;
      const path = paths[own] ??= new Path2D();
      for (const [du, dv] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        if (label(u + du, v + dv) === own) continue;
        path.moveTo(x(u + du / 2 - dv / 2), y(v + dv / 2 - du / 2));
        path.lineTo(x(u + du / 2 + dv / 2), y(v + dv / 2 + du / 2));
      }
    }
  context.lineWidth = width * ratio;
  for (const [value, path] of Object.entries(paths).reverse()) { // the first labels lie on top
    context.strokeStyle = colour(Number(value));
    context.stroke(path);
  }
}

function cross({ context, plane, x, y, ratio }) {
  const left = x(state.at[plane.right]), top = y(state.at[plane.up]), gap = 9 * ratio;
  context.strokeStyle = "rgba(77, 163, 255, 0.75)";
  context.lineWidth = ratio;
  context.beginPath();
  for (const [x0, y0, x1, y1] of [[0, top, left - gap, top], [left + gap, top, context.canvas.width, top],
    [left, 0, left, top - gap], [left, top + gap, left, context.canvas.height]]) {
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  context.stroke();
}

function letters({ context, plane, ratio }, canvas) {
  const { width, height } = canvas, inset = 11 * ratio;
  const places = { left: [inset, height / 2], right: [width - inset, height / 2],
    top: [width / 2, inset], bottom: [width / 2, height - inset] };
  context.font = `bold ${13 * ratio}px system-ui, "DejaVu Sans", sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const [side, [left, top]] of Object.entries(places)) {
    context.fillStyle = "rgba(0, 0, 0, 0.55)";
    context.fillRect(left - 9 * ratio, top - 9 * ratio, 18 * ratio, 18 * ratio);
    context.fillStyle = "#ffe27a";
    context.fillText(plane.marks[side], left, top + ratio);
  }
  if (state.mode !== "blink") return;
  context.textAlign = "left";
  context.fillStyle = "#ffffff";
  context.fillText(state.flipped ? page.stages[state.stage].name : "fixed", 8 * ratio, 14 * ratio);
}

// === Words ===

function bar() {
  const room = document.getElementById("bar");
  room.textContent = "";
  if (!(state.map in BARS)) return;
  const [colours, ends] = BARS[state.map], [low, high] = ends();
  make("span", room, low);
  const canvas = make("canvas", room);
  canvas.width = 180;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  for (let k = 0; k < 180; k++) {
    context.fillStyle = `rgb(${colours(k / 179).map(Math.round)})`;
    context.fillRect(k, 0, 1, 1);
  }
  make("span", room, high);
  if (state.map === "jacobian") make("span", room, "green: folds");
}

function tell() {
  const world = page.affine.slice(0, 3).map((row) => row.reduce((sum, factor, a) => sum + factor * (a < 3 ? state.at[a] : 1), 0));
  const parts = [`RAS ${world.map((n) => n.toFixed(1)).join(", ")} mm`];
  if (page.maps.moved) {
    parts.push(`field ${length(state.at).toFixed(1)} mm`);
    parts.push(folds(state.at) ? "folds" : `J ${Math.exp(logarithm(state.at)).toFixed(2)}`);
  }
  if (volumes.labels && state.labels) {
    const own = at(volumes.labels, ...state.at);
    if (own) parts.push(page.structures[own] ?? `label ${own}`);
  }
  document.getElementById("said").textContent = parts.join(" · ");
}

function tabulate({ title, head, rows }) {
  const card = make("div", document.getElementById("tables"));
  card.className = "card";
  make("h2", card, title);
  const table = make("table", card);
  const number = (cell) => typeof cell === "number" || cell === null || /^[-+\d.]+( %| mm| s)?$/.test(cell);
  if (head.length) {
    const line = make("tr", make("thead", table));
    head.forEach((name, k) => { if (k && rows.some((row) => number(row[k]))) make("th", line, name).className = "number"; else make("th", line, name); });
  }
  const body = make("tbody", table);
  for (const row of rows) {
    const line = make("tr", body);
    row.forEach((cell, k) => {
      const made = make("td", line, cell ?? "–");
      if (k && number(cell)) made.className = "number";
      else if (String(cell).length > 60) made.className = "long";
    });
  }
}

// === Start ===

async function start() {
  build();
  const stages = Promise.all(page.stages.map(async (stage) => ({
    image: await unpack(stage.image, page.size, 1),
    labels: stage.labels ? await unpack(stage.labels, page.size, 1) : null,
  })));
  volumes = {
    fixed: await unpack(page.fixed, page.size, 1),
    labels: page.labels ? await unpack(page.labels, page.size, 1) : null,
    stages: await stages,
    displacement: await unpack(page.maps.displacement, page.maps.size, 3),
    determinant: await unpack(page.maps.determinant, page.maps.size, 1),
    agreement: await unpack(page.maps.agreement, page.maps.agreement.size, 1),
  };
  const vectors = volumes.displacement.values, lengths = [];
  for (let k = 0; k < vectors.length; k += 3)
    lengths.push(Math.hypot(vectors[k] / 127.5 - 1, vectors[k + 1] / 127.5 - 1, vectors[k + 2] / 127.5 - 1));
  lengths.sort((a, b) => a - b);
  longest = Math.max(lengths[Math.floor(0.998 * (lengths.length - 1))] * page.maps.longest, 0.01);
  setInterval(() => { if (state.mode === "blink") { state.flipped = !state.flipped; draw(); } }, 700);
  window.addEventListener("resize", draw);
  window.addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT" || event.target.tagName === "BUTTON" && event.key === " ") return;
    const way = { ArrowUp: [2, 1], ArrowDown: [2, -1], ArrowLeft: [0, 1], ArrowRight: [0, -1] }[event.key];
    if (way) state.at[way[0]] = clamp(state.at[way[0]] + way[1], 0, page.size[way[0]] - 1);
    else if (event.key === " ") state.mode = state.mode === "fixed" ? "moving" : "fixed";
    else return;
    event.preventDefault();
    draw();
  });
  draw();
  document.body.dataset.ready = "yes";
}
start();

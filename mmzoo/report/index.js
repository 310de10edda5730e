const heads = document.querySelector("#pairs thead tr");
const body = document.querySelector("#pairs tbody");
const link = (parent, target, text) => {
  const made = make("a", parent, text);
  made.href = target;
  return made;
};

document.getElementById("title").textContent = page.title;
document.getElementById("counts").textContent = page.counts;
page.head.forEach((name, column) => {
  const head = make("th", heads, name);
  if (page.numbers.includes(column)) head.className = "number";
  head.onclick = () => sort(column, head);
});
for (const pair of page.rows) {
  const row = make("tr", body);
  row.className = pair.kind;
  row.pair = pair;
  const first = make("td", row);
  if (pair.picture) {
    const picture = make("img", link(first, pair.target || pair.picture));
    picture.src = pair.picture;
    picture.loading = "lazy";
    picture.alt = `slices of ${pair.cells[1]}`;
  }
  pair.cells.slice(1).forEach((value, index) => {
    const cell = make("td", row);
    if (index === 0 && pair.target) link(cell, pair.target, value);
    else if (value === "doubtful") make("span", cell, value).className = "doubt";
    else cell.textContent = value === null ? "" : value;
    if (page.numbers.includes(index + 1)) cell.className = "number";
    if (index + 2 === page.head.length) cell.className = "words";
  });
}

function sort(column, head) {
  const falling = head.getAttribute("aria-sort") === "ascending";
  for (const other of heads.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const compare = (one, other) => {
    const [x, y] = [one.pair.cells[column], other.pair.cells[column]];
    if (x === null || y === null) return (x === null) - (y === null);  // not known: last
    const order = typeof x === "number" ? x - y : String(x).localeCompare(y, undefined, { numeric: true });
    return falling ? -order : order;
  };
  body.append(...[...body.rows].sort(compare));
}
document.body.dataset.ready = "yes";

"use strict";

// Numbers in front of words, empty cells last whichever way.
function compare(a, b) {
  const [x, y] = [Number(a), Number(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) {
    return Number.isNaN(x) - Number.isNaN(y) || a.localeCompare(b, undefined, { numeric: true });
  }
  return x - y;
}

// Sorts and filters a table that holds all its rows. Returns what chooses rows by their number, null for all.
function allRows(table) {
  const rows = [...table.tBodies[0].rows];

  function sortBy(header) {
    const column = header.cellIndex;
    const way = header.ariaSort === "ascending" ? "descending" : "ascending";
    for (const other of header.parentElement.cells) other.ariaSort = "none";
    header.ariaSort = way;
    const keyed = rows.map((row) => [row.cells[column].dataset.value ?? row.cells[column].textContent, row]);
    const filled = keyed.filter(([key]) => key !== "");
    filled.sort(([a], [b]) => (way === "ascending" ? compare(a, b) : compare(b, a)));
    const sorted = [...filled, ...keyed.filter(([key]) => key === "")];
    table.tBodies[0].append(...sorted.map(([, row]) => row));
  }

  for (const header of table.tHead.rows[0].cells) {
    header.querySelector("button").addEventListener("click", () => sortBy(header));
  }

  // Rows are shown that hold all words and whose jobs are chosen in the parallel coordinates.
  const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase());
  const filter = document.getElementById("filter");
  let chosen = null;

  function showRows() {
    const words = filter.value.toLowerCase().split(/\s+/);
    let shown = 0;
    rows.forEach((row, i) => {
      row.hidden = (chosen && !chosen.has(i)) || !words.every((word) => texts[i].includes(word));
      shown += !row.hidden;
    });
    document.getElementById("count").value = shown === rows.length ? `${shown} jobs` : `${shown} of ${rows.length} jobs`;
  }
  filter.addEventListener("input", showRows);

  document.getElementById("extra")?.addEventListener("change", (event) => {
    table.classList.toggle("few", !event.target.checked);
  });

  return (rowNumbers) => {
    chosen = rowNumbers;
    showRows();
  };
}

const packed = document.getElementById("rows");
const table = document.getElementById("table");
const chooseRows = packed ? manyRows(table, JSON.parse(packed.textContent)) : allRows(table);

const lines = JSON.parse(document.getElementById("lines-data").textContent);
if (lines) drawLines(document.getElementById("lines"), lines, chooseRows);

// What has no room says so.
for (const hint of document.querySelectorAll(".sideways")) {
  const box = hint.nextElementSibling;
  const observer = new ResizeObserver(() => (hint.hidden = box.scrollWidth <= box.clientWidth + 1));
  for (const each of [box, box.firstElementChild]) observer.observe(each);
}

"use strict";

// The table of a long list of jobs: its rows are opened column by column, and a page of them is shown at a time.
// Returns what chooses rows by their number, null for all.
function manyRows(table, packed) {
  const size = 100;
  const filter = document.getElementById("filter");
  const [count, range] = [document.getElementById("count"), document.getElementById("range")];
  const [previous, next] = [document.getElementById("previous"), document.getElementById("next")];
  const headers = [...table.tHead.rows[0].cells];
  const opened = new Map();
  let [names, of, color, status] = [[], [], [], []];
  let [order, shown, at, chosen, texts] = [[], [], 0, null, null];

  const open = async (text) => JSON.parse(await unpacked(text));

  // Texts of a column by its place in the table, and numbers to sort by; what is shown on demand is opened then.
  async function column(i) {
    if (!opened.has(i)) {
      const { texts: cells, values } = packed.columns[i - 2];
      const [found, numbers] = [await open(cells), values && (await open(values))];
      opened.set(i, { texts: found, keys: numbers ? numbers.map((each, j) => each ?? found[j]) : found });
    }
    return opened.get(i);
  }

  const name = (row) => packed.folders[of[row]].label + names[row];
  const places = () => headers.map((_, i) => i).filter((i) => i > 1 && opened.has(i));

  function draw() {
    const body = document.createElement("tbody");
    for (const row of shown.slice(at, at + size)) {
      const line = body.insertRow();
      const link = document.createElement("a");
      link.href = `${packed.folders[of[row]].href}/${names[row].split("/").map(encodeURIComponent).join("/")}/`;
      link.textContent = name(row);
      const first = line.insertCell();
      first.append(link);
      first.style.setProperty("--color", packed.colors[color[row]]);
      const second = line.insertCell();
      second.className = second.textContent = status[row];
      for (let i = 2; i < headers.length; i++) {
        const cell = line.insertCell();
        if (packed.columns[i - 2].extra) cell.className = "extra";
        cell.textContent = opened.get(i)?.texts[row] ?? "";
      }
    }
    table.tBodies[0].replaceWith(body);
    const last = Math.min(at + size, shown.length);
    range.value = shown.length ? `${at + 1} to ${last} of ${shown.length}` : "none";
    [previous.disabled, next.disabled] = [at === 0, last === shown.length];
    const n = names.length;
    count.value = shown.length === n ? `${n} jobs` : `${shown.length} of ${n} jobs`;
  }

  // Rows that hold all words, in columns that are open, and that are chosen.
  function choose() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !texts) {
      const cells = places().map((i) => opened.get(i).texts);
      texts = names.map((_, row) => [name(row), status[row], ...cells.map((each) => each[row])].join(" ").toLowerCase());
    }
    shown = order.filter((row) => (!chosen || chosen.has(row)) && words.every((word) => texts[row].includes(word)));
    at = 0;
    draw();
  }

  async function sortBy(header) {
    const way = header.ariaSort === "ascending" ? "descending" : "ascending";
    for (const other of headers) other.ariaSort = "none";
    header.ariaSort = way;
    const i = header.cellIndex;
    const keys = i === 0 ? names.map((_, row) => name(row)) : i === 1 ? status : (await column(i)).keys;
    const all = names.map((_, row) => row);
    const filled = all.filter((row) => keys[row] !== "");
    filled.sort((a, b) => (way === "ascending" ? compare(keys[a], keys[b]) : compare(keys[b], keys[a])));
    order = [...filled, ...all.filter((row) => keys[row] === "")];
    choose();
  }

  async function begin() {
    [names, of, color, status] = await Promise.all([packed.names, packed.of, packed.color, packed.statuses].map(open));
    const atOnce = headers.map((_, i) => i).filter((i) => i > 1 && !packed.columns[i - 2].extra);
    await Promise.all(atOnce.map(column));
    order = names.map((_, row) => row);
    choose();
    filter.addEventListener("input", choose);
    for (const header of headers) header.querySelector("button").addEventListener("click", () => sortBy(header));
    const turn = (by) => () => {
      at += by;
      draw();
      table.parentElement.scrollTop = 0;
    };
    previous.addEventListener("click", turn(-size));
    next.addEventListener("click", turn(size));
    document.getElementById("extra")?.addEventListener("change", async (event) => {
      const isShown = event.target.checked;
      if (isShown) await Promise.all(headers.map((_, i) => i).filter((i) => i > 1).map(column));
      table.classList.toggle("few", !isShown);
      texts = null;
      choose();
    });
  }

  begin().catch((error) => (range.value = `The rows cannot be shown; they stand in summary.csv. ${error.message}`));
  return (rows) => {
    chosen = rows;
    choose();
  };
}

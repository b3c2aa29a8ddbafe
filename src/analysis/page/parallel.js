"use strict";

// Parallel coordinates: a line per job through its places, 0 (bottom) to 1 (top), on one axis after the other.
// `onChoice` gets the rows of the table whose jobs are chosen, or null for all.
function drawLines(svg, { axes, jobs }, onChoice) {
  const [top, bottom, side, height] = [34, 14, 64, 400];
  const chosen = axes.map(() => null);
  const y = (place) => height - bottom - place * (height - top - bottom);

  function add(name, attributes, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return svg.appendChild(element);
  }

  function draw() {
    svg.replaceChildren();
    const width = Math.max(svg.parentElement.clientWidth, 2 * side + 130 * (axes.length - 1));
    for (const [key, value] of Object.entries({ width, height })) svg.setAttribute(key, value);
    svg.style.setProperty("--opacity", Math.min(0.7, Math.max(0.25, 8 / Math.sqrt(jobs.length))));
    const x = (i) => side + (i * (width - 2 * side)) / (axes.length - 1);
    const paths = jobs.map(({ places, color, name }) => {
      const points = places.map((place, i) => `${x(i).toFixed(1)},${y(place).toFixed(1)}`);
      const path = add("path", { d: `M${points.join("L")}` });
      path.style.setProperty("--color", color);
      path.appendChild(document.createElementNS(svg.namespaceURI, "title")).textContent = name;
      return path;
    });
    axes.forEach((axis, i) => drawAxis(axis, i, x(i), paths));
    mark(paths);
  }

  function drawAxis(axis, i, at, paths) {
    add("line", { x1: at, x2: at, y1: y(0), y2: y(1) });
    add("text", { x: at, y: 16, "text-anchor": "middle", class: "name" }, axis.label);
    for (const [place, text] of axis.ticks) {
      add("line", { x1: at - 4, x2: at, y1: y(place), y2: y(place) });
      add("text", { x: at - 7, y: y(place) + 4, "text-anchor": "end" }, text);
    }
    const range = add("rect", { x: at - 9, width: 18, class: "chosen" });
    const hold = add("rect", { x: at - 14, width: 28, y: y(1) - 6, height: y(0) - y(1) + 12, class: "hold" });
    const show = () => {
      const [low, high] = chosen[i] ?? [0, 0];
      range.setAttribute("y", y(high));
      range.setAttribute("height", y(low) - y(high));
      range.setAttribute("visibility", chosen[i] ? "visible" : "hidden");
      mark(paths);
    };
    const place = (event) => {
      const seen = event.clientY - svg.getBoundingClientRect().top;
      return Math.min(1.02, Math.max(-0.02, (y(0) - seen) / (y(0) - y(1))));
    };
    hold.addEventListener("pointerdown", (event) => {
      const start = place(event);
      chosen[i] = null;
      hold.setPointerCapture(event.pointerId);
      hold.onpointermove = (moved) => {
        const ends = [start, place(moved)].sort((a, b) => a - b);
        chosen[i] = ends[1] - ends[0] > 0.01 ? ends : null;
        show();
      };
      show();
    });
    hold.addEventListener("pointerup", () => (hold.onpointermove = null));
    show();
  }

  function mark(paths) {
    const isIn = jobs.map(({ places }) =>
      places.every((place, i) => !chosen[i] || (place >= chosen[i][0] && place <= chosen[i][1])),
    );
    paths.forEach((path, i) => path.classList.toggle("left-out", !isIn[i]));
    const rows = jobs.filter((_, i) => isIn[i]).map((job) => job.row);
    onChoice(chosen.some(Boolean) ? new Set(rows) : null);
  }

  draw();
  window.addEventListener("resize", draw);
}

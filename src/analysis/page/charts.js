"use strict";

// Text that stands in the page compressed, by gzip, in base64.
async function unpacked(text) {
  if (!("DecompressionStream" in window)) {
    throw new Error("This browser is too old for it (Chrome 80, Firefox 113, Safari 16.4 or newer).");
  }
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// Charts name the page's colours, which differ by day and night.
function readCharts() {
  const style = getComputedStyle(document.documentElement);
  return JSON.parse(document.getElementById("charts").textContent, (_, value) => {
    const named = typeof value === "string" && value.match(/^var\((--[a-z]+)\)$/);
    return named ? style.getPropertyValue(named[1]).trim() : value;
  });
}

// On a phone the names of rows stand above them, where they have room.
function fit({ data, layout }, width) {
  const { tickvals = [], ticktext = [] } = layout.yaxis;
  if (width >= 560 || !ticktext.length) return { data, layout };
  const names = tickvals.map((y, i) => ({
    x: 0, xref: "paper", xanchor: "left", y: y + 0.4, yanchor: "bottom", text: ticktext[i], showarrow: false,
  }));
  const range = [layout.yaxis.range[0], layout.yaxis.range[1] + 0.4];
  return {
    data,
    layout: {
      ...layout,
      height: layout.height + 34 * tickvals.length,
      yaxis: { ...layout.yaxis, range, showticklabels: false, ticks: "" },
      annotations: [...(layout.annotations ?? []), ...names],
    },
  };
}

function drawCharts(places) {
  const charts = readCharts();
  for (const place of places) {
    const { data, layout } = fit(charts[place.dataset.section][place.dataset.index], place.clientWidth);
    place.style.height = `${layout.height}px`;
    Plotly.react(place, data, layout, { responsive: true, displayModeBar: false });
  }
}

// Draws all charts, and again where their colours or their room change.
async function showCharts() {
  const places = [...document.querySelectorAll(".chart")];
  if (!places.length) return;
  try {
    const script = document.createElement("script");
    script.textContent = await unpacked(document.getElementById("library").textContent);
    document.head.append(script);
  } catch (error) {
    for (const place of places) {
      place.className = "note";
      place.style.height = "auto";
      place.textContent = `The chart cannot be drawn. ${error.message}`;
    }
    return;
  }
  drawCharts(places);
  for (const query of ["(prefers-color-scheme: dark)", "(max-width: 640px)"]) {
    matchMedia(query).addEventListener("change", () => drawCharts(places));
  }
}

showCharts();

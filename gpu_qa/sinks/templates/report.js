"use strict";
(() => {
  const SEVERITIES = ["info", "warn", "major", "critical"];
  const PANEL = 96, TOP = 8, BOTTOM = 34;
  const NARROW = 560; // pixels below which names stand above what they name, not beside it
  const BANDS = 150; // more shaded events than this slow zooming down and hide the curves
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const bar = (severity) => color(severity === "info" ? "info" : severity + "-bar");
  const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  // Seconds as h:mm:ss, with as many decimals as `step` between two marks asks for.
  function clock(seconds, step) {
    const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
    const scale = 10 ** digits;
    const total = Math.round(Math.abs(seconds) * scale);
    const whole = Math.floor(total / scale);
    const two = (number) => String(number).padStart(2, "0");
    const text = Math.floor(whole / 3600) + ":" + two(Math.floor(whole / 60) % 60) + ":" + two(whole % 60);
    return (seconds < 0 && total ? "−" : "") + text + (digits ? "." + String(total % scale).padStart(digits, "0") : "");
  }

  const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
    3600, 7200, 10800, 21600, 43200, 86400];

  // Marks of the time axis: half a window beyond either end, so that dragging finds some there.
  function marks(range, pixels) {
    const span = range[1] - range[0];
    const wanted = span / Math.max(2, pixels / 84);
    const step = STEPS.find((candidate) => candidate >= wanted) || 86400 * Math.ceil(wanted / 86400);
    const values = [];
    for (let k = Math.ceil((range[0] - span / 2) / step); k * step <= range[1] + span / 2; k += 1) values.push(k * step);
    return { tickvals: values, ticktext: values.map((value) => clock(value, step)) };
  }

  function panelAxis(panel) {
    if (panel.key === "change") {
      return { type: "log", range: [-4.2, 2.1], tickvals: [0.0001, 0.01, 1, 100], ticktext: ["0", "0.01", "1", "100"] };
    }
    if (panel.key === "luma") return { range: [-8, 108], tickvals: [0, 50, 100] };
    if (panel.key === "sound") return { range: [-126, 6], tickvals: [-120, -80, -40, 0], ticktext: ["≤−120", "−80", "−40", "0"] };
    const all = (ends) => panel.curves.flatMap((curve) => curve[ends]).filter((value) => value !== null);
    // A reduce, not Math.max(...): that many arguments overflow the stack.
    const low = all("low").reduce((least, value) => Math.min(least, value), Infinity);
    const high = all("high").reduce((most, value) => Math.max(most, value), -Infinity);
    // A measure that hardly moves is not blown up to fill its panel.
    const span = Math.max(high - low, 0.2 * Math.max(Math.abs(low), Math.abs(high)), 1e-9);
    const middle = (low + high) / 2;
    return { range: [middle - 0.58 * span, middle + 0.58 * span], nticks: 4 };
  }

  // The area between low and high, piece by piece: one closed outline for each stretch without a gap.
  function band(curve) {
    const x = [], y = [];
    let from = 0;
    for (let i = 0; i <= curve.x.length; i += 1) {
      if (i < curve.x.length && curve.high[i] !== null) continue;
      for (let k = from; k < i; k += 1) { x.push(curve.x[k]); y.push(curve.high[k]); }
      for (let k = i - 1; k >= from; k -= 1) { x.push(curve.x[k]); y.push(curve.low[k]); }
      x.push(null);
      y.push(null);
      from = i + 1;
    }
    return { x, y };
  }

  function curveTraces(panel, axis) {
    const traces = [];
    panel.curves.forEach((curve, number) => {
      const line = color("curve-" + (1 + number % 6));
      const same = { yaxis: axis, type: "scatter", mode: "lines", connectgaps: false, showlegend: false };
      const name = escaped(curve.name || panel.title);
      const words = curve.high.map((high, i) => {
        if (high === null) return "";
        const [low, most] = [curve.low[i], high].map((value) => Number(value.toPrecision(3)));
        const range = low === most ? most : low + " … " + most;
        // The labels of a panel appear together; one of them tells the time.
        return (number ? "" : clock(curve.x[i], 0.001) + "<br>") + name + ": " + range + " " + escaped(curve.unit);
      });
      traces.push({ ...same, ...band(curve), line: { color: line, width: 0.5 }, fill: "toself", fillcolor: line + "38", hoverinfo: "skip" });
      traces.push({ ...same, x: curve.x, y: curve.high, line: { color: line, width: 1.3 }, text: words, hovertemplate: "%{text}<extra></extra>" });
    });
    return traces;
  }

  function laneTraces(data, shortest) {
    return SEVERITIES.map((severity) => {
      const events = data.events.map((event, index) => ({ ...event, index })).filter((event) => event.severity === severity);
      const words = events.map((event) => {
        const message = event.message.length > 90 ? event.message.slice(0, 88) + "…" : event.message;
        const length = event.end > event.start ? " to " + clock(event.end, 0.001) : "";
        return "<b>" + escaped(event.label) + "</b> · " + severity + "<br>" + clock(event.start, 0.001) + length + "<br>" + escaped(message);
      });
      return {
        type: "bar", orientation: "h", xaxis: "x", yaxis: "y", showlegend: false, width: 0.5,
        // What is shorter than three pixels is drawn three pixels wide.
        base: events.map((event) => event.start), x: events.map((event) => Math.max(event.end - event.start, shortest)),
        y: events.map((event) => event.lane), customdata: events.map((event) => event.index),
        marker: { color: bar(severity), line: { width: 0 } }, text: words, textposition: "none",
        hovertemplate: "%{text}<extra></extra>",
      };
    });
  }

  class Timeline {
    constructor(element) {
      this.element = element;
      this.card = element.closest(".timeline");
      this.data = JSON.parse(document.getElementById("plot-" + element.dataset.number).textContent);
      const pad = (this.data.end - this.data.start) * 0.01;
      this.whole = [this.data.start - pad, this.data.end + pad];
      this.range = [...this.whole];
      this.drawn = false;
    }

    inner() {
      return Math.max(100, this.element.clientWidth - this.left() - 14);
    }

    narrow() {
      return this.element.clientWidth < NARROW;
    }

    left() {
      if (this.narrow()) return 54;
      return Math.max(52, this.data.lanes.length ? 12 + 6.9 * Math.max(...this.data.lanes.map((lane) => lane.length)) : 0);
    }

    figure() {
      const data = this.data;
      const narrow = this.narrow();
      const LANE = narrow ? 36 : 26, GAP = narrow ? 48 : 34;
      const lanes = data.lanes.length * LANE;
      const heights = data.panels.map((panel) => (panel.key === "sound" ? PANEL + 24 : PANEL));
      const inner = lanes + heights.reduce((sum, height) => sum + height + GAP, 0) - (lanes ? 0 : 10);
      const traces = data.lanes.length ? laneTraces(data, 3 * (this.range[1] - this.range[0]) / this.inner()) : [];
      const annotations = [];
      const still = { fixedrange: true, zeroline: false, gridcolor: color("grid"), linecolor: color("line") };
      const layout = {
        height: inner + TOP + BOTTOM, margin: { l: this.left(), r: 14, t: TOP, b: BOTTOM },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x", bargap: 0, barmode: "overlay",
        font: { family: "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif", size: 12, color: color("text") },
        hoverlabel: { bgcolor: color("card"), bordercolor: color("quiet"), font: { color: color("text"), size: 13 }, align: "left" },
        // On a touch screen a finger on the plot scrolls the page; the buttons zoom.
        dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
        xaxis: {
          range: [...this.range], minallowed: this.whole[0], maxallowed: this.whole[1], zeroline: false, gridcolor: color("grid"),
          showspikes: true, spikemode: "across", spikesnap: "cursor", spikethickness: 1, spikedash: "solid", spikecolor: color("quiet"),
          anchor: "free", position: 0, ...marks(this.range, this.inner()), tickfont: { color: color("quiet") },
        },
        annotations, shapes: [],
      };
      let below = inner;
      if (lanes) {
        layout.yaxis = {
          ...still, domain: [(below - lanes) / inner, 1], range: [data.lanes.length - 0.5, -0.5], showgrid: false,
          tickvals: data.lanes.map((_, i) => i), ticktext: data.lanes.map(escaped), ticklabelstandoff: 6, showticklabels: !narrow,
        };
        if (narrow) {
          data.lanes.forEach((lane, i) => annotations.push({
            xref: "paper", x: 0, xanchor: "left", yref: "y", y: i - 0.24, yanchor: "bottom", showarrow: false, text: escaped(lane), font: { size: 11 },
          }));
        }
        below -= lanes;
        // A faint line under each lane leads the eye from its name to its events.
        data.lanes.forEach((_, i) => layout.shapes.push({
          type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: i, y1: i, layer: "below", line: { color: color("grid"), width: 1 },
        }));
      }
      data.panels.forEach((panel, number) => {
        if (lanes || number) below -= GAP; else below -= GAP - 10;
        const key = number + 2;
        const top = below / inner;
        below -= heights[number];
        layout["yaxis" + key] = {
          ...still, domain: [Math.max(0, below / inner), top], ...panelAxis(panel), tickfont: { color: color("quiet"), size: 11 }, ticklabelstandoff: 4,
        };
        traces.push(...curveTraces(panel, "y" + key));
        const names = panel.curves.map((curve, i) => {
          const name = escaped(curve.name);
          const unit = curve.unit ? (name ? ", " : "") + escaped(curve.unit) : "";
          return name || unit ? "<span style='color:" + color("curve-" + (1 + i % 6)) + "'>" + name + unit + "</span>" : "";
        }).filter(Boolean);
        const shown = names.length > 4 ? [...names.slice(0, 4), "…"] : names;
        annotations.push({
          xref: "paper", x: 0, xanchor: "left", yref: "paper", y: top, yanchor: "bottom", showarrow: false, font: { size: 12 },
          align: "left",
          text: "<b>" + escaped(panel.title) + "</b>" + (narrow && shown.length > 1 ? "<br>" : "   ") + shown.join("   "),
        });
      });
      if (data.panels.length && data.events.length <= BANDS) {
        const ceiling = lanes ? (inner - lanes) / inner : 1;
        data.events.forEach((event) => layout.shapes.push({
          type: "rect", xref: "x", x0: event.start, x1: event.end, yref: "paper", y0: 0, y1: ceiling, layer: "below",
          fillcolor: bar(event.severity), opacity: 0.13, line: { width: event.end > event.start ? 0 : 1, color: bar(event.severity) },
        }));
      }
      return [traces, layout];
    }

    draw() {
      const [traces, layout] = this.figure();
      Plotly.react(this.element, traces, layout, { displayModeBar: false, responsive: false, doubleClick: false, showTips: false });
      if (this.drawn) return;
      this.drawn = true;
      this.element.on("plotly_relayout", (change) => {
        if ("xaxis.range[0]" in change) this.zoom(change["xaxis.range[0]"], change["xaxis.range[1]"]);
      });
      this.element.on("plotly_doubleclick", () => this.zoom(...this.whole));
      this.element.on("plotly_click", (click) => {
        const index = click.points[0].customdata;
        if (Number.isInteger(index)) this.found(index);
      });
      this.card.querySelector(".tools").hidden = false;
      const hint = this.card.querySelector(".hint");
      hint.hidden = !this.data.panels.length && this.data.events.length < 2;
    }

    zoom(from, to) {
      const least = 0.05;
      const middle = (from + to) / 2;
      const half = Math.max(to - from, least) / 2;
      this.range = [Math.max(this.whole[0], middle - half), Math.min(this.whole[1], middle + half)];
      this.draw();
    }

    scale(factor) {
      const middle = (this.range[0] + this.range[1]) / 2;
      const half = (this.range[1] - this.range[0]) * factor / 2;
      this.zoom(middle - half, middle + half);
    }

    show(index) {
      const event = this.data.events[index];
      const pad = Math.max(1, (event.end - event.start) * 0.6);
      this.zoom(event.start - pad, event.end + pad);
      this.card.scrollIntoView({ block: "start", behavior: "smooth" });
    }

    found(index) {
      const row = document.getElementById("event-" + this.element.dataset.number + "-" + index);
      row.dispatchEvent(new CustomEvent("reveal", { bubbles: true }));
      row.classList.remove("found");
      row.scrollIntoView({ block: "center", behavior: "smooth" });
      requestAnimationFrame(() => row.classList.add("found"));
    }
  }

  // Plots, each drawn when it first comes into view.
  const timelines = new Map();
  if (window.Plotly) {
    const watch = new IntersectionObserver((entries) => entries.forEach((entry) => {
      const timeline = timelines.get(entry.target.dataset.number);
      if (entry.isIntersecting && !timeline.drawn) timeline.draw();
    }), { rootMargin: "300px" });
    document.querySelectorAll(".plot").forEach((element) => {
      const timeline = new Timeline(element);
      timelines.set(element.dataset.number, timeline);
      timeline.card.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
        const how = button.dataset.zoom;
        if (how === "all") timeline.zoom(...timeline.whole); else timeline.scale(how === "in" ? 0.5 : 2);
      }));
      watch.observe(element);
    });
    const redraw = (all) => timelines.forEach((timeline) => {
      if (timeline.element.clientWidth && (all || timeline.drawn)) timeline.draw();
    });
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width) redraw(false);
      width = innerWidth;
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(false));
    const paper = matchMedia("print");
    paper.addEventListener("change", () => redraw(paper.matches));
  }

  // The list: some events at a time, of all kinds or of one.
  document.querySelectorAll(".events").forEach((card) => {
    const rows = [...card.querySelectorAll(".event")];
    const rest = card.querySelector(".rest");
    const atOnce = Number(card.dataset.atOnce);
    let kind = "", limit = atOnce;
    const update = () => {
      const wanted = rows.filter((row) => !kind || row.dataset.kind === kind);
      rows.forEach((row) => { row.hidden = true; });
      wanted.slice(0, limit).forEach((row) => { row.hidden = false; });
      const left = wanted.length - limit;
      rest.hidden = left <= 0;
      card.querySelector(".next").textContent = "Show " + Math.min(atOnce, left) + " more";
      card.querySelector(".all").textContent = "Show all " + wanted.length;
    };
    const choose = (name) => {
      kind = name;
      limit = atOnce;
      card.querySelectorAll(".filters button").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.kind === kind)));
      update();
    };
    card.querySelectorAll(".filters").forEach((filters) => { filters.hidden = false; });
    card.querySelectorAll(".filters button").forEach((button) => button.addEventListener("click", () => choose(button.dataset.kind)));
    card.querySelector(".next").addEventListener("click", () => { limit += atOnce; update(); });
    card.querySelector(".all").addEventListener("click", () => { limit = rows.length; update(); });
    card.addEventListener("reveal", (event) => {
      if (kind && event.target.dataset.kind !== kind) choose("");
      limit = Math.max(limit, rows.indexOf(event.target) + 1);
      update();
    });
    const scope = card.closest(".input") || document;
    const plot = scope.querySelector(".plot");
    const timeline = plot && timelines.get(plot.dataset.number);
    if (timeline) {
      rows.forEach((row) => {
        const button = row.querySelector(".show");
        button.hidden = false;
        button.addEventListener("click", () => timeline.show(Number(row.dataset.index)));
      });
    }
    update();
  });

  // A link to an input opens it; printing opens all.
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => document.querySelectorAll("details.input").forEach((input) => { input.open = true; }));
})();

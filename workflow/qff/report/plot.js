// Every seed of every model as a dot on a logarithmic axis; its value on hover, touch or focus.
(() => {
  const place = document.getElementById("explore");
  if (!place) return;
  const data = JSON.parse(document.getElementById("data").textContent).numbers;
  if (!data.length) return;
  place.hidden = false;
  const [system, quantity] = place.querySelectorAll("select");
  const drawing = place.querySelector("svg");
  const value = place.querySelector("output");
  const NS = "http://www.w3.org/2000/svg";

  const add = (parent, name, attributes, text) => {
    const element = document.createElementNS(NS, name);
    Object.entries(attributes).forEach(([k, v]) => element.setAttribute(k, v));
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const fill = (select, names) => {
    const before = select.value;
    select.replaceChildren(...[...new Set(names)].map((name) => new Option(name, name)));
    if ([...select.options].some((o) => o.value === before)) select.value = before;
  };

  const draw = () => {
    const chosen = data.find((d) => d.system === system.value && d.quantity === quantity.value);
    const width = Math.max(300, place.clientWidth), label = Math.min(220, 0.42 * width), row = 26, foot = 44;
    const height = row * chosen.models.length + foot;
    drawing.replaceChildren();
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    drawing.setAttribute("height", height);
    const all = chosen.models.flatMap((m) => m.values).filter((v) => v > 0);
    const low = Math.floor(Math.log10(Math.min(...all))), high = Math.ceil(Math.log10(Math.max(...all)));
    const x = (v) => label + ((Math.log10(v) - low) / Math.max(1, high - low)) * (width - label - 14);
    const every = Math.ceil((48 * Math.max(1, high - low)) / (width - label - 14)); // decades from label to label
    for (let power = low; power <= Math.max(high, low + 1); power += 1) {
      add(drawing, "line", { x1: x(10 ** power), x2: x(10 ** power), y1: 0, y2: height - foot, class: "grid" });
      if ((power - low) % every) continue;
      const words = 10 ** power < 1e-3 || power > 3 ? `1e${power}` : `${+(10 ** power).toPrecision(1)}`;
      add(drawing, "text", { x: Math.min(x(10 ** power), width - 16), y: height - foot + 16, "text-anchor": "middle" }, words);
    }
    add(drawing, "text", { x: width - 12, y: height - 8, "text-anchor": "end" }, `${chosen.quantity}`);
    chosen.models.forEach((model, i) => {
      const y = row * (i + 0.5);
      const name = model.label.length > label / 7 ? `${model.label.slice(0, Math.floor(label / 7) - 1)}…` : model.label;
      add(drawing, "text", { x: label - 8, y: y + 4, "text-anchor": "end" }, name);
      model.values.forEach((v, seed) => {
        if (!(v > 0)) return;
        const words = `${model.label}, seed ${seed}: ${Number(v.toPrecision(4))} ${chosen.unit}`;
        const dot = add(drawing, "circle", { cx: x(v), cy: y, r: 5, tabindex: 0, role: "img", "aria-label": words });
        add(dot, "title", {}, words);
        ["pointerenter", "pointerdown", "focus"].forEach((e) => dot.addEventListener(e, () => { value.textContent = words; }));
      });
    });
  };

  fill(system, data.map((d) => d.system));
  const change = () => {
    fill(quantity, data.filter((d) => d.system === system.value).map((d) => d.quantity));
    draw();
  };
  system.addEventListener("change", change);
  quantity.addEventListener("change", draw);
  window.addEventListener("resize", draw);
  change();
})();

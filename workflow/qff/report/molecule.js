// Molecules in three dimensions on a canvas: drag (or arrow keys) to turn, slider or button for the frames.
(() => {
  const place = document.getElementById("viewer");
  if (!place) return;
  const movies = JSON.parse(document.getElementById("data").textContent).movies;
  if (!movies.length) return;
  place.hidden = false;
  const canvas = place.querySelector("canvas"), pen = canvas.getContext("2d");
  const choice = place.querySelector("select"), slider = place.querySelector("input");
  const button = place.querySelector("button"), words = place.querySelector("output");
  const COLOURS = { H: "#e8e8e8", Li: "#b07de0", C: "#555555", N: "#4766d9", O: "#d43b2f", P: "#e08a1e", S: "#d9b91e", Fe: "#c0683a", Ge: "#5f8f8f" };
  const RADII = { H: 0.31, Li: 1.28, C: 0.76, N: 0.71, O: 0.66, P: 1.07, S: 1.05, Fe: 1.32, Ge: 1.2 };
  const radius = (symbol) => RADII[symbol] ?? 1.0;
  const ball = (symbol) => 0.2 + 0.25 * radius(symbol);
  let yaw = 0.6, pitch = 0.35, timer = 0, movie = movies[0], extent = 1;

  const atoms = () => {
    const flat = movie.frames[slider.value];
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    return movie.symbols.map((symbol, i) => {
      const [x, y, z] = [0, 1, 2].map((k) => flat[3 * i + k] / 1000 - movie.centre[k]);
      const across = cy * x + sy * z, back = -sy * x + cy * z;
      return { symbol, at: [x, y, z], x: across, y: cp * y - sp * back, z: sp * y + cp * back };
    });
  };

  const draw = () => {
    const size = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(size * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const scale = (0.42 * size) / extent, found = atoms();
    const px = (a) => size / 2 + scale * a.x, py = (a) => size / 2 - scale * a.y;
    const things = found.map((a) => ({ z: a.z, paint: () => {
      const r = scale * ball(a.symbol);
      const shade = pen.createRadialGradient(px(a) - r / 3, py(a) - r / 3, r / 10, px(a), py(a), r);
      shade.addColorStop(0, "#ffffff");
      shade.addColorStop(0.35, COLOURS[a.symbol] ?? "#9a9a9a");
      shade.addColorStop(1, "#303030");
      pen.fillStyle = shade;
      pen.beginPath();
      pen.arc(px(a), py(a), r, 0, 2 * Math.PI);
      pen.fill();
    } }));
    found.forEach((a, i) => found.slice(0, i).forEach((b) => {
      const distance = Math.hypot(...a.at.map((v, k) => v - b.at[k]));
      if (distance > 1.3 * (radius(a.symbol) + radius(b.symbol))) return;
      const along = (s, e) => { // where the bond leaves the ball of its atom
        const part = (0.9 * ball(s.symbol)) / distance;
        return { x: s.x + part * (e.x - s.x), y: s.y + part * (e.y - s.y) };
      };
      const from = along(a, b), to = along(b, a);
      things.push({ z: (a.z + b.z) / 2, paint: () => {
        pen.strokeStyle = "#7a7a7a";
        pen.lineWidth = Math.max(2, 0.12 * scale);
        pen.lineCap = "round";
        pen.beginPath();
        pen.moveTo(px(from), py(from));
        pen.lineTo(px(to), py(to));
        pen.stroke();
      } });
    }));
    things.sort((a, b) => a.z - b.z).forEach((thing) => thing.paint());
    words.textContent = movie.labels[slider.value];
  };

  const stop = () => {
    window.clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
  };
  const choose = () => {
    stop();
    movie = movies[choice.value];
    slider.max = movie.frames.length - 1;
    slider.value = 0;
    const flat = movie.frames.flat();
    const axis = (k) => flat.filter((_, i) => i % 3 === k).map((v) => v / 1000);
    const ends = [0, 1, 2].map((k) => axis(k).reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]));
    movie.centre = ends.map(([a, b]) => (a + b) / 2);
    extent = Math.max(1, Math.hypot(...ends.map(([a, b]) => (b - a) / 2)) + 0.4);
    canvas.setAttribute("aria-label", `${movie.title}: ball-and-stick model of ${movie.symbols.join(" ")}`);
    draw();
  };

  choice.replaceChildren(...movies.map((m, i) => new Option(m.title, i)));
  choice.addEventListener("change", choose);
  slider.addEventListener("input", draw);
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "Stop";
    timer = window.setInterval(() => {
      slider.value = (Number(slider.value) + 1) % movie.frames.length;
      draw();
    }, 60);
    return undefined;
  });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    yaw += event.movementX / 120;
    pitch += event.movementY / 120;
    draw();
  });
  canvas.addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    if (!turn) return;
    event.preventDefault();
    yaw += turn[0];
    pitch += turn[1];
    draw();
  });
  window.addEventListener("resize", draw);
  choose();
})();

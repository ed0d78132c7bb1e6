// Claims table: click a heading to sort, choose verdicts to filter. Without JavaScript the table is whole and in order.
(() => {
  const table = document.getElementById("overview");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];

  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((h) => h.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const order = (a, b) => sign * key(a, column).localeCompare(key(b, column), "en", { numeric: true });
      body.append(...[...rows].sort(order));
    });
  });

  const filter = document.getElementById("filter");
  const counts = new Map();
  rows.forEach((row) => counts.set(row.dataset.verdict, (counts.get(row.dataset.verdict) ?? 0) + 1));
  const hidden = new Set();
  const status = document.createElement("span");
  status.setAttribute("role", "status");
  const show = () => {
    rows.forEach((row) => { row.hidden = hidden.has(row.dataset.verdict); });
    status.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims shown`;
  };
  counts.forEach((count, verdict) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(verdict); else hidden.add(verdict);
      show();
    });
    label.append(box, ` ${verdict.replaceAll("_", " ")} (${count})`);
    filter.append(label);
  });
  filter.append(status);
  filter.hidden = false;
  show();
})();

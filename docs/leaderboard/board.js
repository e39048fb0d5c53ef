// Sorts and filters the tables of the page. Without it the page is whole: plain tables in the order of the ranks.
"use strict";

function sortable(table) {
  const bodies = [...table.tBodies].map(body => ({ body, head: body.rows[0], rows: [...body.rows].slice(1) }));
  const rows = bodies.flatMap(group => group.rows);
  const heads = [...table.tHead.rows[0].cells];

  function order(head, up) {
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const grouped = head.dataset.sort === "rank";
    table.classList.toggle("flat", !grouped);
    if (grouped) {
      bodies.forEach(group => group.body.append(group.head, ...(up ? group.rows : [...group.rows].reverse())));
    } else {
      const at = heads.indexOf(head);
      const number = head.dataset.sort === "number";
      const value = row => number ? row.cells[at].dataset.key : row.cells[at].textContent.trim().toLowerCase();
      const sorted = [...rows].sort((a, b) => {
        const [p, q] = [value(a), value(b)];
        if (p === "" || q === "") return (p === "") - (q === "");  // what has no value comes last, both ways
        const by = number ? p - q : p.localeCompare(q, "en");
        return up ? by : -by;
      });
      bodies[0].body.append(...sorted);
    }
    table.dispatchEvent(new Event("sorted"));
  }

  heads.forEach(head => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      // Scores and costs: the largest first. Ranks and names: the first first.
      order(head, now === null ? head.dataset.sort !== "number" : now === "descending");
    });
  });
  return { bodies, rows };
}

function board(form) {
  const table = document.getElementById(form.dataset.board + "-board");
  const { bodies, rows } = sortable(table);
  const output = form.querySelector("output");
  const fields = form.elements;

  function show() {
    const text = fields.text.value.trim().toLowerCase();
    const only = fields.reproduced.checked;
    const [tokens, base] = [fields.class?.value ?? "", fields.base?.value ?? ""];
    let [shown, all, said] = [0, 0, 0];
    rows.forEach(row => {
      const reference = row.dataset.state === "reference";
      const fits = row.textContent.toLowerCase().includes(text)
        && (reference || ((!tokens || row.dataset.class === tokens) && (!base || row.dataset.base === base)));
      const kept = !only || row.dataset.state !== "said";
      row.hidden = !fits || !kept;
      if (reference) return;
      all += 1;
      if (fits && kept) shown += 1;
      if (fits && !kept) said += 1;
    });
    const flat = table.classList.contains("flat");
    bodies.forEach(group => { group.head.hidden = flat || group.rows.every(row => row.hidden); });
    output.textContent = `${shown} of ${all} shown` + (said ? `, ${said} self-reported hidden` : "");
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", event => event.preventDefault());
  table.addEventListener("sorted", show);
  form.hidden = false;
  show();
}

function samples(form) {
  const rows = [...document.querySelectorAll(".samples tbody tr")];
  const output = form.querySelector("output");
  function show() {
    const [axis, verdict] = [form.elements.axis.value, form.elements.verdict.value];
    rows.forEach(row => {
      row.hidden = (axis !== "" && row.dataset.axis !== axis) || (verdict !== "" && row.dataset.verdict !== verdict);
    });
    output.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} shown`;
  }
  form.addEventListener("input", show);
  form.addEventListener("submit", event => event.preventDefault());
  form.hidden = false;
  show();
}

document.querySelectorAll("form[data-board]").forEach(board);
document.querySelectorAll("form[data-samples]").forEach(samples);

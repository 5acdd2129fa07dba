// Filters every table of the page by the words of its rows and by the headings of its columns.
(() => {
  "use strict";
  const form = document.getElementById("filter");
  const input = document.getElementById("filter-words");
  const boxes = [...form.querySelectorAll("input[name=column]")];
  const tables = [...document.querySelectorAll("table[data-table]")];

  const rows = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (row) => {
      const text = [...row.cells].filter((cell) => cell.classList.contains("text"))
        .map((cell) => cell.textContent).join("\n").toLowerCase();
      return words.every((word) => text.includes(word));
    };
    let shown = 0;
    for (const table of tables) {
      for (const row of table.tBodies[0].rows) {
        row.hidden = !matches(row);
        if (table === tables[0] && !row.hidden) shown += 1;
      }
    }
    site.say(`${shown} of ${tables[0].tBodies[0].rows.length} systems`);
  };

  const columns = () => {
    const left = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    for (const table of tables) {
      [...table.tHead.rows[0].cells].forEach((heading, position) => {
        const hidden = left.has(heading.querySelector(".heading").textContent);
        for (const row of table.rows) row.cells[position].hidden = hidden;
      });
    }
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", rows);
  boxes.forEach((box) => box.addEventListener("change", columns));
})();

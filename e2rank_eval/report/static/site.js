// Sortable tables and copyable commands; without this script the tables read the same.
// A link can name an order: #sort=<table>:<column from 0>:asc|desc
// `site` holds what other scripts share.
const site = {};
(() => {
  "use strict";
  const status = document.getElementById("status");
  const say = (text) => { status.textContent = text; };
  site.say = say;

  const value = (row, column, numeric) => {
    const text = row.cells[column].dataset.value;
    if (text === "") return null;
    return numeric ? Number(text) : text;
  };

  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));

  const sort = (table, column, direction) => {
    const body = table.tBodies[0];
    const heading = table.tHead.rows[0].cells[column];
    const numeric = heading.classList.contains("number");
    const sign = direction === "descending" ? -1 : 1;
    const rows = table.originalRows.slice();
    if (direction !== "none") {
      rows.sort((left, right) => {
        const a = value(left, column, numeric), b = value(right, column, numeric);
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * compare(a, b);
      });
    }
    rows.forEach((row) => {
      row.classList.toggle("group", direction === "none" && row.startsGroup);
      body.append(row);
    });
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    if (direction !== "none") heading.setAttribute("aria-sort", direction);
  };

  const next = (heading) => {
    const order = heading.classList.contains("number")
      ? { none: "descending", descending: "ascending", ascending: "none" }
      : { none: "ascending", ascending: "descending", descending: "none" };
    return order[heading.getAttribute("aria-sort") || "none"];
  };

  const address = (table, column, direction) => {
    const short = { ascending: "asc", descending: "desc" }[direction];
    const place = short ? `#sort=${table.dataset.table}:${column}:${short}` : location.pathname;
    history.replaceState(null, "", place);
  };

  const choose = (table, column) => {
    const heading = table.tHead.rows[0].cells[column];
    const direction = next(heading);
    sort(table, column, direction);
    if (!table.dataset.unaddressed) address(table, column, direction);
    const name = heading.querySelector(".heading").textContent;
    say(direction === "none" ? "Original order" : `Sorted by ${name}, ${direction}`);
  };

  site.sortable = (table) => {
    table.originalRows = [...table.tBodies[0].rows];
    for (const row of table.originalRows) row.startsGroup = row.classList.contains("group");
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const heading = cell.querySelector(".heading");
      const button = document.createElement("button");
      button.type = "button";
      heading.replaceWith(button);
      button.append(heading);
      button.addEventListener("click", () => choose(table, column));
    });
  };
  document.querySelectorAll("table[data-table]").forEach(site.sortable);

  const follow = () => {
    const asked = /^#sort=([^:]+):(\d+):(asc|desc)$/.exec(decodeURIComponent(location.hash));
    if (!asked) return;
    const table = document.querySelector(`table[data-table="${CSS.escape(asked[1])}"]`);
    const column = Number(asked[2]);
    if (!table || column >= table.tHead.rows[0].cells.length) return;
    sort(table, column, asked[3] === "asc" ? "ascending" : "descending");
    table.scrollIntoView();
  };
  window.addEventListener("hashchange", follow);
  follow();

  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        say("Copied");
        button.firstChild.data = "Copied";
        setTimeout(() => { button.firstChild.data = "Copy"; }, 1500);
      } catch {
        getSelection().selectAllChildren(code);
        say("Selected: copy it with your keyboard");
      }
    });
  }
})();

// Tables of any length: all rows are in the page's data, and 50 of them are shown at a time.
(() => {
  "use strict";
  const { element, number } = site;
  const SIZE = 50;

  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));

  class Paged {
    constructor(container, data) {
      Object.assign(this, data, { title: container.dataset.title, page: 0, sorted: null, direction: "none" });
      this.all = this.rows.map((_, index) => index);
      this.shown = this.all;
      this.build(container);
      this.draw();
    }

    build(container) {
      this.filter = element("input", { type: "search", id: `${container.id}-filter`, autocomplete: "off" });
      this.filter.addEventListener("input", () => this.choose());
      this.count = element("p", { class: "count" });
      this.body = element("tbody");
      this.headings = this.columns.map((column, position) => this.heading(column, position));
      const scroll = { class: "scroll", tabindex: "0", role: "region", "aria-label": this.title };
      const table = element("table", { "aria-rowcount": this.rows.length + 1 },
        element("caption", {}, this.title),
        element("thead", {}, element("tr", { "aria-rowindex": 1 }, ...this.headings)), this.body);
      this.pager = element("div", { class: "pager", role: "group", "aria-label": `Pages of: ${this.title}` },
        this.turn("First", () => 0), this.turn("Previous", () => this.page - 1),
        this.turn("Next", () => this.page + 1), this.turn("Last", () => this.pages - 1), this.count);
      container.prepend(
        element("div", { class: "filter" },
          element("label", { for: this.filter.id }, "Show rows with"), this.filter),
        element("div", scroll, table), this.pager);
    }

    heading(column, position) {
      const button = element("button", { type: "button" }, element("span", { class: "heading" }, column.heading));
      button.addEventListener("click", () => this.sort(position));
      return element("th", { scope: "col", class: "decimals" in column ? "number" : "text" }, button);
    }

    turn(text, target) {
      const button = element("button", { type: "button" }, text);
      button.addEventListener("click", () => {
        this.page = Math.max(0, Math.min(this.pages - 1, target()));
        this.draw();
        site.say(this.count.textContent);
      });
      return button;
    }

    get pages() { return Math.max(1, Math.ceil(this.shown.length / SIZE)); }

    sort(position) {
      const numeric = "decimals" in this.columns[position];
      const cycle = numeric ? ["none", "descending", "ascending"] : ["none", "ascending", "descending"];
      const now = this.sorted === position ? this.direction : "none";
      this.direction = cycle[(cycle.indexOf(now) + 1) % 3];
      this.sorted = position;
      const rows = this.rows, sign = this.direction === "descending" ? -1 : 1;
      this.all = rows.map((_, index) => index);
      if (this.direction !== "none") {
        this.all.sort((left, right) => {
          const a = rows[left][position], b = rows[right][position];
          if (a === null || b === null) return (a === null) - (b === null);
          return sign * compare(a, b);
        });
      }
      this.headings.forEach((cell) => cell.removeAttribute("aria-sort"));
      if (this.direction !== "none") this.headings[position].setAttribute("aria-sort", this.direction);
      this.choose();
      site.say(this.direction === "none" ? "Original order"
        : `Sorted by ${this.columns[position].heading}, ${this.direction}`);
    }

    // Every word must occur in some text of the row.
    choose() {
      const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      this.texts ??= this.rows.map((row) => row.filter((value) => typeof value === "string").join("\n").toLowerCase());
      this.shown = words.length ? this.all.filter((index) => words.every((word) => this.texts[index].includes(word))) : this.all;
      this.page = 0;
      this.draw();
      if (words.length) site.say(this.count.textContent);
    }

    draw() {
      const start = this.page * SIZE, end = Math.min(start + SIZE, this.shown.length);
      this.body.replaceChildren(...this.shown.slice(start, end).map((index, offset) => this.row(index, start + offset)));
      const of = this.shown.length === this.rows.length ? "" : ` (of ${number(this.rows.length, 0)})`;
      this.count.textContent = this.shown.length
        ? `${number(start + 1, 0)} to ${number(end, 0)} of ${number(this.shown.length, 0)} rows${of}`
        : "No row has these words";
      const ends = [this.page === 0, this.page === 0, this.page >= this.pages - 1, this.page >= this.pages - 1];
      this.pager.querySelectorAll("button").forEach((button, position) => { button.setAttribute("aria-disabled", ends[position]); });
    }

    row(index, place) {
      const cells = this.rows[index].map((value, position) => {
        const column = this.columns[position], numeric = "decimals" in column;
        const text = numeric ? number(value, column.decimals, column.signed) : value ?? "–";
        const link = position === 0 ? this.links[index] : null;
        return element(position === 0 ? "th" : "td", { class: numeric ? "number" : "text", scope: position === 0 ? "row" : null },
          link ? element("a", { href: link }, text) : text);
      });
      return element("tr", { "aria-rowindex": place + 2 }, ...cells);
    }
  }

  for (const container of document.querySelectorAll(".paged")) {
    site.embedded(`${container.id.replace("table-", "")}-data`).then((data) => new Paged(container, data));
  }
})();

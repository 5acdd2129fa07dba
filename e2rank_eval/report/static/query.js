// Shows one query of the page's data: candidates before and after, judgements, scores, the prompt as sent.
(async () => {
  "use strict";
  const { element, number } = site;
  const place = document.getElementById("query");
  const data = await site.embedded("query-data");
  const { queries, texts } = data;
  const asked = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    return Math.max(0, queries.findIndex((query) => query.id === id));
  };
  const fragment = (query) => `#${encodeURIComponent(query.id)}`;

  const fact = (name, value) => element("div", {}, element("dt", {}, name), element("dd", {}, value));

  const facts = (query) => {
    const relevant = query.grades.filter((grade) => grade > 0).length;
    return element("dl", { class: "figures" },
      fact("first stage, nDCG@10 × 100", number(query.before, 2)),
      fact("reranked", number(query.after, 2)),
      fact("change", number(query.after - query.before, 2, true)),
      fact("relevant among the candidates", `${relevant} of ${relevant + query.missed}`));
  };

  const cell = (kind, value, ...shown) =>
    element("td", { class: kind, "data-value": value ?? "" }, ...shown);

  const moved = (change) => {
    if (change === 0) return cell("number", 0, "=");
    const way = change > 0 ? "up" : "down";
    return cell("number", change,
      element("span", { class: way, "aria-hidden": "true" }, `${change > 0 ? "▲" : "▼"} ${Math.abs(change)}`),
      element("span", { class: "unseen" }, `${way} ${Math.abs(change)}`));
  };

  const documentCell = (id, inPrompt) => {
    const [title, text] = texts[id] ?? ["", ""];
    return element("th", { scope: "row", class: "text document", "data-value": id },
      element("code", {}, id),
      inPrompt ? element("span", { class: "tag" }, "in the prompt") : null,
      title ? element("strong", {}, title) : null,
      text ? element("span", { class: "excerpt" }, text) : null);
  };

  const row = (query, position, rank) => {
    const grade = query.grades[position];
    const inPrompt = data.enriched && position < (query.effort["prompt documents"] ?? 0);
    const scores = [query.first_scores[position], query.model_scores?.[position]];
    return element("tr", { class: grade > 0 ? "relevant" : null },
      documentCell(query.documents[position], inPrompt),
      cell("number", rank + 1, String(rank + 1)),
      cell("number", position + 1, String(position + 1)),
      moved(position - rank),
      cell("number", grade, grade === null ? "–" : String(grade)),
      ...scores.map((score) => cell("number", score, number(score, 4))));
  };

  const table = (id, caption, headings, rows) => {
    const head = headings.map(([text, kind]) =>
      element("th", { scope: "col", class: kind }, element("span", { class: "heading" }, text)));
    // The page's fragment names the query, so that a link cannot also name an order.
    const made = element("table", { "data-table": id, "data-unaddressed": "true" },
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows));
    site.sortable(made);
    const scroll = { class: "scroll", tabindex: "0", role: "region", "aria-label": caption };
    return element("div", { class: "table" }, element("div", scroll, made));
  };

  const candidates = (query) => {
    const headings = [["document", "text"], ["rank", "number"], ["before", "number"], ["moved", "number"],
      ["judged", "number"], ["first-stage score", "number"], ["model score", "number"]];
    const order = query.order.length ? query.order : query.documents.map((_, position) => position);
    const rows = order.map((position, rank) => row(query, position, rank));
    return table("candidates", "Candidates as reranked; sort by “before” for the first stage's order", headings, rows);
  };

  const prompt = (query) => {
    if (query.prompt !== null) {
      return element("details", { open: "" }, element("summary", {}, "The prompt as sent"),
        element("pre", { class: "prompt", tabindex: "0" }, query.prompt));
    }
    const why = !data.shows_text ? "Hidden: the texts of this collection may not be shown."
      : query.effort.calls > 1 ? `${query.effort.calls} calls: a prompt is stored where there is exactly one.`
        : "This system sent no prompt.";
    return element("p", {}, why);
  };

  const effort = (query) => element("dl", { class: "counts" },
    ...Object.entries(query.effort).map(([name, count]) => fact(name, number(count, 0))),
    ...Object.entries(query.repairs).map(([kind, count]) => fact(`repaired: ${kind}`, number(count, 0))));

  const others = (query, index) => {
    const rows = data.others.map((other) => {
      const value = other.values[index];
      const name = other.here ? element("strong", {}, other.name)
        : element("a", { href: other.page + fragment(query) }, other.name);
      return element("tr", {}, element("th", { scope: "row", class: "text", "data-value": other.name }, name),
        cell("text", other.first_stage, other.first_stage), cell("number", value, number(value, 2)));
    });
    const headings = [["system", "text"], ["first stage", "text"], ["nDCG@10 × 100", "number"]];
    return table("others", "The same query in every run", headings, rows);
  };

  const section = (heading, ...content) => element("section", {}, element("h2", {}, heading), ...content);

  const show = () => {
    const index = asked(), query = queries[index];
    place.replaceChildren(
      element("h2", { id: "query-heading", tabindex: "-1" }, "Query ", element("code", {}, query.id)),
      query.text === null ? "" : element("p", { class: "lead query-text" }, query.text),
      facts(query),
      query.remark ? element("p", { class: "remark" }, query.remark) : "",
      section("Candidates", candidates(query)),
      section("Prompt", prompt(query)),
      section("Cost of ranking", effort(query)),
      section("Other runs", others(query, index)));
    document.getElementById("query-select").value = String(index);
    step("query-previous", queries[index - 1], data.previous);
    step("query-next", queries[index + 1], data.next);
    site.say(`Query ${query.id}`);
  };

  // At either end of the list, the link loses its address.
  const step = (id, neighbour, beyond) => {
    const address = neighbour ? fragment(neighbour) : beyond;
    const link = document.getElementById(id);
    if (address) link.setAttribute("href", address);
    else link.removeAttribute("href");
  };

  const select = document.getElementById("query-select");
  const begin = (text) => (text.length > 70 ? `${text.slice(0, 70)}…` : text);
  select.append(...queries.map((query, index) =>
    element("option", { value: index }, query.text === null ? query.id : `${query.id}: ${begin(query.text)}`)));
  select.addEventListener("change", () => { location.hash = fragment(queries[Number(select.value)]); });
  window.addEventListener("hashchange", () => {
    show();
    document.getElementById("query-heading").focus();
  });
  document.getElementById("picker").hidden = false;
  show();
})();

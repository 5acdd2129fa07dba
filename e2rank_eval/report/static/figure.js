// What a figure's marks tell, shown beside the mark that is pointed at, focused or touched.
(() => {
  "use strict";
  for (const figure of document.querySelectorAll("figure")) {
    const points = figure.querySelectorAll("a.point");
    if (!points.length) continue;
    // The link's own label says the same to a screen reader.
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    figure.append(tip);

    let current = null, before = null;
    const show = (point) => {
      current = point;
      const lines = point.dataset.lines.split("\n").map((line) => {
        const made = document.createElement("p");
        made.textContent = line;
        return made;
      });
      tip.replaceChildren(...lines);
      tip.hidden = false;
      const mark = point.getBoundingClientRect(), whole = figure.getBoundingClientRect();
      const room = whole.width - tip.offsetWidth;
      const left = Math.max(0, Math.min(room, mark.left - whole.left + mark.width / 2 - tip.offsetWidth / 2));
      const above = mark.top - whole.top - tip.offsetHeight - 4;
      tip.style.left = `${left}px`;
      tip.style.top = `${above > 0 ? above : mark.bottom - whole.top + 4}px`;
    };
    const hide = () => {
      current = null;
      tip.hidden = true;
    };
    const hovers = (event) => event.pointerType !== "touch";

    for (const point of points) {
      point.addEventListener("pointerenter", (event) => { if (hovers(event)) show(point); });
      point.addEventListener("pointerleave", (event) => { if (hovers(event)) hide(); });
      point.addEventListener("focus", () => show(point));
      point.addEventListener("blur", hide);
      // A finger cannot hover: its first touch shows, its second follows the link.
      point.addEventListener("pointerdown", () => { before = current; });
      point.addEventListener("click", (event) => {
        if (event.pointerType === "touch" && before !== point) event.preventDefault();
      });
    }
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  }
})();

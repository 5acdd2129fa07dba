// Reads the data that a page holds: gzipped JSON in base64, by the id of its script element.
(() => {
  "use strict";

  site.embedded = async (id) => {
    const letters = document.getElementById(id).textContent;
    const bytes = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  };

  // An element with attributes and children; texts become text nodes, never markup.
  site.element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  };

  const minus = (text) => text.replace("-", "\u2212");
  site.number = (value, decimals, signed = false) => {
    if (value === null || value === undefined) return "–";
    const text = value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    return minus(signed && value >= 0 ? `+${text}` : text);
  };
})();

"use strict";
// Hides the entries that do not match; it makes no element and reads no text as markup.
const field = (name) => document.getElementById(name);
const form = field("filters");
const what = form.dataset.what;
const entries = [...document.querySelectorAll(`#${what} > details`)];
const texts = entries.map((one) => one.textContent.toLowerCase());
const choices = [...form.querySelectorAll("select")];
const apply = () => {
  const words = field("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  entries.forEach((one, k) => {
    const fits = choices.every((by) => !by.value || one.dataset[by.id] === by.value)
      && words.every((word) => texts[k].includes(word));
    one.hidden = !fits;
    shown += fits ? 1 : 0;
  });
  field("shown").textContent = `${shown} of ${entries.length} ${what}`;
};
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
apply();

"use strict";
// Hides the attempts that do not match; it makes no element and reads no text as markup.
const attempts = [...document.querySelectorAll("#attempts > details")];
const texts = attempts.map((one) => one.textContent.toLowerCase());
const field = (name) => document.getElementById(name);
const apply = () => {
  const words = field("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const model = field("model").value;
  const outcome = field("outcome").value;
  let shown = 0;
  attempts.forEach((one, k) => {
    const fits = (!model || one.dataset.model === model)
      && (!outcome || one.dataset.outcome === outcome)
      && words.every((word) => texts[k].includes(word));
    one.hidden = !fits;
    shown += fits ? 1 : 0;
  });
  field("shown").textContent = `${shown} of ${attempts.length} attempts`;
};
field("filters").addEventListener("input", apply);
field("filters").addEventListener("submit", (event) => event.preventDefault());
apply();

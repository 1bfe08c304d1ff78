"use strict";
// Keeps votes in this browser and saves them as a file; it makes nothing of any text.
const form = document.getElementById("votes");
const pairs = [...form.querySelectorAll("fieldset")];
const key = `votes-${form.dataset.pairs}`;
const save = document.getElementById("save");
const votes = () => pairs.map((one) => one.querySelector("input:checked")?.value ?? null);
const tell = () => {
  const left = votes().filter((vote) => vote === null).length;
  save.disabled = left > 0;
  document.getElementById("done").textContent =
    left ? `${pairs.length - left} of ${pairs.length} rated` : "all rated";
};
const keep = (write) => {
  // A browser may forbid it to pages from files.
  try { return write ? localStorage.setItem(key, JSON.stringify(votes())) : localStorage.getItem(key); }
  catch { return null; }
};
(JSON.parse(keep(false) ?? "[]") ?? []).forEach((vote, k) => {
  const one = [...(pairs[k]?.querySelectorAll("input") ?? [])].find((input) => input.value === vote);
  if (one) one.checked = true;
});
form.addEventListener("change", () => { keep(true); tell(); });
form.addEventListener("submit", (event) => event.preventDefault());
save.addEventListener("click", () => {
  const told = JSON.stringify({ pairs: form.dataset.pairs, votes: votes() });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([told], { type: "application/json" }));
  link.download = `votes-${form.dataset.pairs}.json`;
  link.click();
});
tell();

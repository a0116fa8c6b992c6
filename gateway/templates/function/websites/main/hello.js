// Asks the function and shows what it answers.

const form = document.querySelector("form");
const answer = form.querySelector("output");
const detail = document.querySelector("#detail");

async function ask() {
  const query = new URLSearchParams(new FormData(form));
  const url = `${form.getAttribute("action")}?${query}`;
  const start = performance.now();
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`the function answered ${response.status}`);
    const { message } = await response.json();
    answer.value = message;
    detail.textContent = `GET ${url} · ${Math.round(performance.now() - start)} ms`;
  } catch (error) {
    answer.value = "No answer.";
    detail.textContent = error.message;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
ask();

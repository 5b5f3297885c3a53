import { Tocsin } from "https://alerts.example.com/tocsin.js";

const button = document.querySelector("#alerts");
const state = document.querySelector("#state");
const tocsin = await Tocsin.connect({ serviceWorker: "/tocsin/sw.js" });

function show() {
  state.textContent = tocsin.state;
  button.hidden = !["subscribed", "unsubscribed"].includes(tocsin.state);
  button.textContent = tocsin.state === "subscribed" ? "Stop the notifications" : "Breaking news as notifications";
}

// In the click itself: only then does the browser ask the reader.
button.addEventListener("click", () => (tocsin.state === "subscribed" ? tocsin.unsubscribe() : tocsin.subscribe()));
tocsin.addEventListener("change", show);
show();

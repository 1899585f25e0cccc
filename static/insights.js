// Copy the text of a gap. Without this script the text can be selected by hand.

const announce = document.querySelector("#announce");

for (const button of document.querySelectorAll("[data-copy]")) {
  const text = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    text.select();
    try {
      await navigator.clipboard.writeText(text.value);
    } catch {
      // Without HTTPS there is no clipboard; the text stays selected for the keyboard.
      announce.textContent = "The text is selected: copy it with the keyboard.";
      return;
    }
    announce.textContent = "Copied.";
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// The page that a link with a token opens: takes the token out of the address, and sends it.

const form = document.getElementById("enter");
const token = location.hash.slice(1);
if (token) {
  form.elements.token.value = token;
  form.elements.token.parentElement.hidden = true;
  // Not in the browser's history either.
  history.replaceState(null, "", location.pathname);
  if (form.dataset.atOnce !== undefined) form.requestSubmit();
  else form.querySelector("button").focus();
}
// Another link opened in this window changes nothing but the fragment.
addEventListener("hashchange", () => location.reload());

// What people do again and again on the pages.

/** The row of somebody in a list of people. */
export const row = (window, name) => window.page.locator(".people li", { hasText: name });

/** Fills the form that adds somebody to a group or thread. */
export async function add(window, who, { history, grade, until } = {}) {
  const form = window.page.locator("#add");
  if (!await form.evaluate((of) => of.open)) await form.locator("summary").click();
  await form.getByLabel("Name or e-mail").fill(who);
  if (history) await form.getByLabel("They see").selectOption(history);
  if (grade) await form.getByLabel("They may").selectOption(grade);
  if (until) await form.getByLabel("Until the end of").fill(until);
  await form.getByRole("button", { name: "Add", exact: true }).click();
}

/** Goes to the own invitations by the link beside the page, and accepts the one with this name. */
export async function accept(window, name) {
  await window.page.locator(".side").getByRole("link", { name: /Invitations/ }).click();
  const asked = window.page.locator("main li", { hasText: name }).getByRole("button", { name: /Accept/ });
  await asked.click();
  await asked.waitFor({ state: "detached" });
}

/** Opens a conversation by its row in the inbox, as soon as there is one. */
export async function openRow(window, title) {
  await window.page.locator(".side").getByRole("link", { name: "Inbox" }).click();
  await window.page.locator(".row > a", { hasText: title }).click();
  await window.page.waitForURL("**/t/*");
}

/** Opens a group by its link beside the page. */
export const group = (window, name) => window.page.locator(".groups").getByRole("link", { name, exact: true });

/** What stands in the notices at the edge. */
export const notice = (window, text) => window.page.locator("#notices").getByText(text).first().waitFor();

/** Answers yes whenever the page asks whether one is sure. */
export const sure = (window) => window.page.on("dialog", (dialog) => dialog.accept());

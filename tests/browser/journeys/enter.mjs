import assert from "node:assert/strict";
import { Window } from "../browser.mjs";

const PASSWORD = "a long enough password";

export default {
  "a link signs in with one click, once": async ({ stage, browser, keep }) => {
    const link = await stage.alice.link();
    const first = await Window.open(browser, stage.alice);
    keep(first);
    await first.enter(link);
    await first.sees("Inbox");
    assert.equal(first.page.url().includes("#"), false, "the token stays in no address");
    await first.page.goBack().catch(() => {});
    assert.equal(first.page.url().includes("comity_"), false, "nor in the history");
    const second = await Window.open(browser, stage.alice);
    keep(second);
    second.expect(/401/);
    await second.page.goto(link);
    await second.sees("it was used, which it can be once");
    await second.go("/");
    await second.page.waitForURL("**/sign-in");
  },

  "who is signed in is asked before a link makes him somebody else": async ({ stage, open }) => {
    const mia = await stage.member(stage.alice, "mia-enter", "Mia Enter");
    const window = await open(stage.alice);
    await window.page.goto(await mia.link());
    await window.sees(`You are signed in as ${stage.alice.name}`);
    await window.page.getByRole("button", { name: "Sign in" }).click();
    await window.page.waitForURL(`${window.base}/`);
    await window.sees("Mia Enter", ".who");
  },

  "by address and password, and out again": async ({ stage, browser, keep }) => {
    const mia = await stage.member(stage.alice, "mia", "Mia");
    const { path } = await stage.alice.post(`/users/${mia.id}/link`);
    // With mail the link is in a letter: the demo's catcher has it, and a password is set by its owner.
    if (path) await stage.alice.post(`${path}/password`, { password: PASSWORD });
    else await mia.post("/me/password", { new: PASSWORD });
    const window = await Window.open(browser, mia);
    keep(window);
    // A wrong password, and a thread that she is not in.
    window.expect(/40[14]/);
    await window.go(`/t/${stage.thread}`);
    await window.page.waitForURL("**/sign-in?next=*");
    for (const password of ["not the password", PASSWORD]) {
      await window.page.getByLabel("Address").fill(mia.address);
      await window.page.getByLabel("Password", { exact: true }).fill(password);
      await window.page.getByRole("button", { name: "Sign in" }).click();
      if (password !== PASSWORD) await window.sees("no account has this address and this password");
    }
    await window.sees("There is nothing here");
    await window.go("/");
    await window.page.getByRole("button", { name: "Sign out" }).click();
    await window.page.waitForURL("**/sign-in");
    await window.go("/");
    await window.page.waitForURL("**/sign-in");
  },
};

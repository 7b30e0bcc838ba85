import assert from "node:assert/strict";

const html = async (window, path) => {
  await window.go(path);
  return window.page.content();
};

export default {
  "a free account has no directory and no search of people, and guesses nothing (P1.3, P3.1)": async ({ stage, open }) => {
    const { id, chat } = await stage.group("With one free account", stage.alice);
    const jo = await stage.free(stage.alice, "groups", id, "jo-guest", "Jo Guest");
    const secret = await stage.group("Merger of zebras", stage.alice);
    const hidden = await stage.member(stage.alice, `zoe-${Date.now() % 1_000_000}`, "Zoe Zebra");
    await stage.alice.write(secret.chat, "zebras merge on Monday");
    const window = await open(jo);
    window.expect(/console: .*40[34]/);
    await window.go("/");
    const side = window.page.locator(".side");
    assert.equal(await side.getByRole("link", { name: "Directory" }).count(), 0);
    assert.deepEqual(await window.page.locator(".groups a").allInnerTexts(), ["With one free account"]);
    await window.go("/people?q=zebra");
    await window.sees("Nobody is found.");
    await window.go("/people");
    assert.equal(await window.page.getByText(hidden.address).count(), 0, "only who shares something with her");
    await window.go("/search?q=zebra");
    await window.sees("Nothing is found.");
    // Words, names, addresses: nothing of what she is not in.
    assert.equal(await window.page.locator("main").getByText(/merger|Zoe|Monday/i).count(), 0);
    await guesses(window, { group: [secret.id, id], thread: [secret.chat, chat], person: [hidden.id, stage.alice.id] });
  },

  "a free account goes on as a member's: what it was in comes along, and it ends (P1.6)": async ({ stage, open, browser, keep }) => {
    const { Window } = await import("../browser.mjs");
    const { until } = await import("../stage.mjs");
    const name = "Comes along";
    const { id, chat } = await stage.group(name, stage.alice);
    const jo = await stage.free(stage.alice, "groups", id, "jo-moves", "Jo Moves");
    await stage.alice.write(chat, "read before the move");
    await until("the words at jo's", async () => (await jo.get(`/threads/${chat}/messages`)).messages.length === 1);
    // The workspace takes jo as a member: the account waits for its person.
    const member = await stage.alice.post("/users", { local: `jo-${Date.now() % 1_000_000}`, name: "Jo Moves" });
    await stage.alice.post(`/users/${member.id}/link`, {});
    const { link } = await stage.letter(member.address);
    const [guest, fresh] = [await open(jo), await Window.open(browser, stage.alice)];
    keep(fresh);
    guest.expect(/401/);
    await fresh.go(`/join/${link.split("/join/").pop()}`);
    await fresh.page.getByText("I have a free account, and take it along").click();
    const code = await fresh.page.locator("code.line").innerText();
    await guest.go("/invitations");
    await guest.page.getByLabel("Its code").fill(code);
    await guest.page.getByRole("button", { name: "Use it with this account" }).click();
    // It is over at once, with its session.
    await guest.page.waitForURL("**/sign-in**");
    await fresh.page.getByLabel("Password").fill("a long enough password");
    await fresh.page.getByRole("button", { name: "Set it and sign in" }).click();
    await fresh.page.locator(".groups").getByRole("link", { name }).waitFor();
    await fresh.open(chat);
    await fresh.sees("read before the move");
    const alice = await open(stage.alice);
    await alice.go(`/g/${id}/members`);
    const row = alice.page.locator(".people li", { hasText: member.address });
    await row.waitFor();
    assert.equal(await row.getByText("External").count(), 0, "he is one of us now");
  },
};

/** An id of the same kind that nobody has. */
const nobody = (id) => id.slice(0, 3) + [...id.slice(3)].map((letter, at) => (at % 7 === 3 ? "a" : letter)).join("");

/** Each kind of page: what exists and is not for her, against what does not exist; beside it what she may see. */
async function guesses(window, { group, thread, person }) {
  const pages = [
    ...["", "/members", "/settings"].map((rest) => ["/g/", group, rest]),
    ...["", "/settings", "/1"].map((rest) => ["/t/", thread, rest]),
    ["/people/", person, ""],
  ];
  for (const [kind, [existing, allowed], rest] of pages) {
    const [exists, absent] = [await html(window, kind + existing + rest), await html(window, kind + nobody(existing) + rest)];
    assert.equal(exists, absent, `${kind}…${rest}: the same page, whether it exists or not`);
    assert.match(exists, /There is nothing here/);
    if (rest === "/1") continue;
    assert.doesNotMatch(await html(window, kind + allowed + rest), /There is nothing here/, `${kind}…${rest} is for her`);
  }
  assert.match(await html(window, "/directory"), /this is for members of the workspace/);
  for (const page of ["/admin", "/admin/people", "/admin/externals"]) {
    assert.equal(await html(window, page), await html(window, "/admin/peers/ws_none"), page);
  }
}

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

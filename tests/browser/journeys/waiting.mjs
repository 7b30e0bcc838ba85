export default {
  "what is written while a partner's node is down waits, and comes when it is back": async ({ stage, open }) => {
    if (!stage.kills) return console.log("    skipped: the nodes are somebody else's");
    // carol owns it: the other journeys need alice's and bob's nodes.
    const { chat } = await stage.group("Power cut", stage.carol, stage.bob);
    const bob = await open(stage.bob);
    await bob.open(chat);
    await stage.kill(stage.carol);
    await bob.write("written in the dark");
    await bob.page.locator("#pending .message", { hasText: "written in the dark" }).waitFor();
    await bob.sees("waits for", "#pending");
    await stage.revive(stage.carol);
    await bob.page.locator("#messages .message", { hasText: "written in the dark" }).waitFor();
    await bob.page.locator("#pending .message").waitFor({ state: "detached" });
    const carol = await open(stage.carol);
    await carol.open(chat);
    await carol.sees("written in the dark");
  },
};

"""What people do on the page, in a real Chromium, and what others see of it: sharing, following, moderating."""

from playwright.async_api import expect

from tests.windows import Open, newest


async def test_a_work_is_shared_and_what_is_refused_is_said_at_the_field(opened: Open) -> None:
    """Each complaint stands at its field; once all is well the work hangs, and others are told of it."""
    ada, visitor = await opened("ada", "/share"), await opened()
    form = ada.page.locator("form.share")
    await ada.presses("Share", form)
    url = form.get_by_label("Address of the picture")
    await expect(url).to_have_attribute("aria-invalid", "true")
    await expect(url).to_be_focused()
    await url.fill("/media/avatars/ada.svg")
    await form.get_by_label("Type").select_option("twitch_badge")
    await expect(form.get_by_alt_text("The picture that you")).to_be_visible()
    await form.get_by_label("Title").fill("Self-portrait as a badge")
    await form.get_by_label("Tags").fill("tiny not_a_tag")
    await ada.presses("Share", form)
    await expect(form.locator(".field", has=ada.page.get_by_label("Tags"))).to_contain_text(
        "“not_a_tag” cannot be a tag"
    )
    await form.get_by_label("Tags").fill("#tiny, gold")
    await ada.presses("Share", form)
    await expect(ada.room.locator("h2")).to_have_text("Self-portrait as a badge")
    await expect(ada.room.locator(".tags")).to_have_text("#tiny#gold")
    await ada.presses("Back to the wall")
    await visitor.presses("1 new work")
    await expect(visitor.page.locator(".hang .name").first).to_have_text("Self-portrait as a badge")


async def test_an_own_post_is_edited_and_deleted_before_everybodys_eyes(opened: Open) -> None:
    """Its new title shows on other screens; when it is gone, it goes from their rooms and walls."""
    bob = await opened("bob")
    post_id = await bob.shares("First draft")
    visitor = await opened(path=f"/posts/{post_id}")
    await bob.enters(post_id)
    await bob.presses("Edit", bob.room)
    dialog = bob.page.get_by_role("dialog")
    await dialog.get_by_label("Tags").fill("a b c d e f")
    await bob.presses("Save", dialog)
    await expect(dialog).to_contain_text("6 tags are too many: 5 at most.")
    await dialog.get_by_label("Title").fill("Second thoughts")
    await dialog.get_by_label("Tags").fill("wip")
    await bob.presses("Save", dialog)
    for window in (bob, visitor):
        await expect(window.room.locator("h2")).to_have_text("Second thoughts")
    await bob.presses("Delete", bob.room)
    await bob.presses("Delete for good", dialog)
    await visitor.is_told("This work is gone.")
    for window in (bob, visitor):
        await expect(window.room).to_be_hidden()
        await expect(window.on_the_wall(post_id)).to_have_count(0)


async def test_a_creators_page_tells_who_follows(opened: Open) -> None:
    """Whoever follows there stands among the followers; the creator's own page counts on by itself."""
    greta = await opened("greta")
    await greta.goes_to(f"/creators/{greta.user_id}/followers")
    mine = greta.page.locator(".lists")
    await expect(mine).to_contain_text("followers")
    before = int(await mine.locator("b").nth(1).inner_text())
    hana = await opened("hana", f"/creators/{greta.user_id}")
    await expect(hana.page.get_by_role("heading", name="Greta Olsen")).to_be_visible()
    await expect(hana.page.locator(".hang .work:not(.ghost)").first).to_be_visible()
    button = hana.page.locator(".does button[aria-pressed]")
    follows = await button.get_attribute("aria-pressed") == "true"
    await button.click()
    after = before - 1 if follows else before + 1
    for window in (greta, hana):
        await expect(window.page.locator(".lists b").nth(1)).to_have_text(str(after))
    among = greta.page.locator(".faces").get_by_role("link", name="Hana Sato")
    await expect(among).to_have_count(0 if follows else 1)


async def test_what_one_screen_has_seen_all_have(opened: Open) -> None:
    """The bell of every tab tells of a like; once it was looked at in one, none of them tells any more."""
    iris, again, fan = await opened("iris"), await opened("iris"), await opened("jonas")
    post_id = await iris.shares("Look at this")
    await iris.page.locator("button.bell").click()
    for window in (iris, again):
        await expect(window.page.locator(".badge")).to_be_hidden()
    await iris.page.keyboard.press("Escape")
    await fan.enters(post_id)
    await fan.room.locator(".like").click()
    for window in (iris, again):
        await expect(window.page.locator(".badge")).to_have_text("1")
    await again.page.locator("button.bell").click()
    newest_row = again.page.locator("#bell .row").first
    await expect(newest_row).to_contain_text("Jonas Weber liked “Look at this”")
    await expect(iris.page.locator(".badge")).to_be_hidden()
    await newest_row.click()
    await expect(again.room.locator("h2")).to_have_text("Look at this")


async def test_a_report_is_settled_and_a_hidden_post_is_gone_for_others(opened: Open) -> None:
    """A reader reports, a moderator hides: others lose the post at once, the moderator sees it marked."""
    kofi = await opened("kofi")
    post_id = await kofi.shares("Not for everybody")
    lena, vera = await opened("lena", f"/posts/{post_id}"), await opened("vera", "/moderation")
    await lena.presses("Report", lena.room)
    dialog = lena.page.get_by_role("dialog")
    await dialog.get_by_label("What is wrong").select_option("copyright")
    await dialog.get_by_label("What should").fill("I know this overlay.")
    await lena.presses("Report", dialog)
    await lena.is_told("Thank you.")
    await lena.presses("Report", lena.room)
    await lena.presses("Report", dialog)
    await expect(dialog.get_by_role("alert")).to_contain_text("already")
    await lena.presses("Close", dialog)

    await vera.presses("Look again")
    report = vera.page.locator(".report", has_text="I know this overlay.")
    await vera.presses("Hide the post", report)
    await expect(report).to_have_count(0)
    await lena.is_told("This work is gone.")
    await expect(lena.room).to_be_hidden()
    await vera.enters(post_id)
    await expect(vera.room.locator(".mark")).to_have_text("Hidden")
    await vera.presses("Show again", vera.room)
    await expect(vera.room.locator(".mark")).to_have_count(0)


async def test_what_is_featured_hangs_first(opened: Open) -> None:
    """A moderator puts a work forward; on every wall it joins the featured row."""
    post_id = newest(by="otis").post_id
    assert post_id is not None
    visitor, vera = await opened(), await opened("vera", f"/posts/{post_id}")
    featured = visitor.page.locator(f'.featured .work[data-post="{post_id}"]')
    await expect(visitor.page.locator(".featured .work").first).to_be_visible()
    await expect(featured).to_have_count(0)
    await vera.presses("Feature", vera.room)
    await expect(featured).to_have_count(1)
    await vera.presses("Feature no longer", vera.room)
    await expect(featured).to_have_count(0)


async def test_who_is_banned_is_told_so(opened: Open) -> None:
    """A moderator bans from the creator's page; whoever is banned reads on, and is refused in words."""
    milo = await opened("milo")
    post_id = newest(by="nadia").post_id
    assert post_id is not None
    await milo.enters(post_id)
    vera = await opened("vera", f"/creators/{milo.user_id}")
    await vera.presses("Ban …")
    dialog = vera.page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill("Too many words.")
    await vera.presses("Ban", dialog)
    await vera.is_told("Milo Duarte is banned.")
    await milo.says("May I?")
    await expect(milo.page.locator('.toast[data-tone="refusal"]')).to_be_visible()
    await expect(milo.room.locator(".write textarea")).to_have_value("May I?")
    await vera.presses("Lift a ban")
    await vera.is_told("Milo Duarte may write.")
    await milo.says("May I?")
    await milo.reads("May I?")


async def test_moderating_is_for_moderators(opened: Open) -> None:
    """Others are offered nothing of it, and the room of reports says why it is empty."""
    ada = await opened("ada", "/moderation")
    await expect(ada.page.locator(".empty")).to_contain_text("for moderators")
    await expect(ada.page.get_by_role("link", name="Reports")).to_be_hidden()
    post_id = newest(by="otis").post_id
    assert post_id is not None
    await ada.enters(post_id)
    for word in ("Feature", "Hide", "Ban the creator", "Delete"):
        await expect(ada.room.get_by_role("button", name=word, exact=True)).to_have_count(0)

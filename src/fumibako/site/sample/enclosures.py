"""The papers that go with a letter: estimate, order, invoice and what else a text file names."""

import random
from collections.abc import Mapping
from datetime import datetime

from fumibako.site.sample import papers
from fumibako.site.sample.compose import File
from fumibako.site.sample.letters import Days, Months
from fumibako.site.sample.texts.cast import OURS, PEOPLE

Values = Mapping[str, object]
GOODS = (
    "ボルトセット M12",
    "ベースプレート",
    "安全クサリ 2m",
    "キャスター φ100",
    "ゴム脚",
    "ガイドローラー",
    "Vベルト A-48",
)


def _estimate(values: Values, moment: datetime) -> File:
    title, number = "御 見 積 書", values["no"]
    return papers.pdf(
        f"御見積書_{values['company']}様_{number}.pdf",
        title,
        [
            f"見積番号　{number}　　　発行日　{Days(moment)[0]}",
            f"{values['company']}　御中",
            f"件名　{values['product']}",
            f"数量　{values['qty']}{values['unit']}　　単価　¥{values['price']}",
            f"合計　¥{values['total']}（税抜）　／　¥{values['taxed']}（税込）",
            f"納入場所　{values['place']}",
            f"有効期限　{Days(moment)[20]}",
            f"{OURS}　営業部 第二課　山田 太郎",
        ],
    )


def _invoice(values: Values, moment: datetime) -> File:
    return papers.pdf(
        f"請求書_{Months(moment)[0]}分_{values['order']}.pdf",
        "請 求 書",
        [
            f"請求番号　{values['order']}　　　登録番号　T0000000000000",
            f"{values['company']}　御中",
            f"{values['product']}　{values['qty']}{values['unit']}　¥{values['total']}",
            f"消費税（10%）　¥{values['tax']}",
            f"ご請求額　¥{values['taxed']}",
            f"お支払期限　{Months(moment)[1]}末日",
            OURS,
        ],
    )


def _order(values: Values, moment: datetime) -> File:
    return papers.pdf(
        f"注文書（{values['product']}）.pdf",
        "注 文 書",
        [
            f"{OURS}　御中　　　{Days(moment)[0]}",
            f"下記のとおり注文いたします（貴見積番号 {values['no']}）。",
            f"{values['product']}　{values['qty']}{values['unit']}　¥{values['total']}（税抜）",
            f"納入場所　{values['place']}",
            str(values["company"]),
        ],
    )


def _rows(rng: random.Random) -> list[list[str | int]]:
    rows: list[list[str | int]] = [["品番", "品名", "数量", "単価", "備考"]]
    for number, name in enumerate(rng.sample(GOODS, 5), 1):
        rows.append(
            [
                f"TB-{number:02}",
                name,
                rng.randrange(10, 300, 10),
                rng.randrange(80, 4200, 20),
                rng.choice(["", "受注生産", "残りわずか"]),
            ]
        )
    return rows


def _photo(moment: datetime, rng: random.Random, name: str = "") -> File:
    colour = (rng.randrange(40, 200), rng.randrange(60, 160), rng.randrange(60, 220))
    return papers.picture(name or f"IMG_{moment:%m%d_%H%M}.png", [rng.randrange(10, 110) for _ in range(14)], colour)


def enclose(what: str, values: Values, moment: datetime, rng: random.Random) -> tuple[File, ...]:
    """The files that a block's `file=` names; "kind:name" makes one with that name."""
    kind, _, name = what.partition(":")
    match kind:
        case "":
            return ()
        case "quote":
            return (_estimate(values, moment),)
        case "quotezip":
            files = [_estimate(values, moment), papers.table("明細.csv", _rows(rng))]
            return (papers.archive(f"お見積書一式_{values['no']}.zip", files, moment),)
        case "order":
            return (_order(values, moment),)
        case "ordersheet":
            rows: papers.Rows = [
                ["品名", "数量", "単価"],
                [str(values["product"]), int(str(values["qty"])), str(values["price"])],
            ]
            return (papers.xlsx(f"注文書_{values['no']}.xlsx", rows, moment),)
        case "invoice":
            return (_invoice(values, moment),)
        case "invoicezip":
            return (papers.archive(f"請求書・納品書控え_{values['order']}.zip", [_invoice(values, moment)], moment),)
        case "photo":
            return (_photo(moment, rng),)
        case "pdf":
            lines = [f"作成日　{Days(moment)[0]}", PEOPLE["yamada"].company, "ご確認をお願いいたします。"]
            return (papers.pdf(f"{name}.pdf", name, lines),)
        case "xlsx":
            return (papers.xlsx(f"{name}_{moment:%Y%m%d}.xlsx", _rows(rng), moment),)
        case "csv":
            return (papers.table(f"{name}.csv", _rows(rng)),)
        case "zip":
            files = [_photo(moment, rng, f"図面{number}.png") for number in (1, 2, 3)]
            return (papers.archive(f"{name}.zip", files, moment),)
        case "png":
            return (_photo(moment, rng, f"{name}.png"),)
    raise ValueError(f"no such enclosure: {what}")

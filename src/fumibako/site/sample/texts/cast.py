"""Who writes and who is written to."""

# ruff: noqa: E501

from dataclasses import dataclass

from fumibako.site.sample.compose import Address, Style

OUTLOOK_JIS = Style("iso-2022-jp", "7bit", "Microsoft Outlook 16.0", "encoded-word", "original")
OUTLOOK = Style("utf-8", "base64", "Microsoft Outlook 16.0", "encoded-word", "original", html=True)
SHIFT_JIS = Style("shift_jis", "base64", "KiriMail 5.2", "encoded-word")
SHIFT_JIS_8BIT = Style("shift_jis", "8bit", "Koubai-Web 2.14", "encoded-word")
EUC = Style("euc-jp", "8bit", "Mew version 6.9 on Emacs")
PLAIN = Style("utf-8", "8bit", "Thunderbird 128")
PHONE = Style("utf-8", "quoted-printable", "iPhone Mail (22A3354)", quote="none")
WEBMAIL = Style("utf-8", "quoted-printable", "", html=True)
CARELESS = Style("utf-8", "base64", "HaishinStand 3", careless=True)


@dataclass(frozen=True)
class Person:
    """One of the cast. `says` is how they name themselves; `english` how they sign
    in English."""

    key: str
    name: str
    address: str
    company: str
    section: str
    phone: str
    style: Style
    says: str
    english: str = ""

    @property
    def mail(self) -> Address:
        """For the address headers."""
        return Address(self.name, self.address)

    @property
    def domain(self) -> str:
        """The domain of the address."""
        return self.address.partition("@")[2]

    @property
    def family(self) -> str:
        """The family name."""
        return self.name.split()[0]

    @property
    def inside(self) -> bool:
        """Whether this is a colleague."""
        return self.domain == HOME


HOME = "sample-shoji.example"
OURS = "サンプル商事株式会社"

PEOPLE = {
    person.key: person
    for person in (
        Person("yamada", "山田 太郎", f"taro.yamada@{HOME}", OURS, "営業部 第二課", "03-5550-0142", PLAIN, "サンプル商事の山田", "Taro Yamada\nSample Shoji Co., Ltd."),
        Person("sato", "佐藤 美咲", f"misaki.sato@{HOME}", OURS, "営業部 営業事務", "03-5550-0143", PLAIN, "佐藤"),
        Person("suzuki", "鈴木 健一", f"kenichi.suzuki@{HOME}", OURS, "営業部 部長", "03-5550-0140", OUTLOOK, "鈴木"),
        Person("ito", "伊藤 翔", f"sho.ito@{HOME}", OURS, "営業部 第二課", "03-5550-0145", PHONE, "伊藤"),
        Person("somu", "総務部 渡辺", f"soumu@{HOME}", OURS, "総務部", "03-5550-0101", OUTLOOK_JIS, "総務部の渡辺"),
        Person("keiri", "経理部 中村", f"keiri@{HOME}", OURS, "経理部", "03-5550-0110", OUTLOOK_JIS, "経理部の中村"),
        Person("joho", "情報システム室", f"helpdesk@{HOME}", OURS, "情報システム室", "03-5550-0199", EUC, "情報システム室の木村"),
        Person("takahashi", "髙橋 直樹", "n.takahashi@tokyo-shoji.example", "東京商事株式会社", "購買部 購買一課", "03-5550-2210", OUTLOOK_JIS, "東京商事の髙橋"),
        Person("okada", "岡田 千尋", "c.okada@tokyo-shoji.example", "東京商事株式会社", "物流企画室", "03-5550-2231", OUTLOOK, "東京商事 物流企画室の岡田"),
        Person("tanaka", "田中 由美子", "tanaka@minato-kogyo.example", "みなと工業株式会社", "資材課", "045-550-7711", SHIFT_JIS, "みなと工業の田中"),
        Person("kobayashi", "小林 誠", "kobayashi@minato-kogyo.example", "みなと工業株式会社", "横浜工場 製造部", "045-550-7720", PHONE, "みなと工業 横浜工場の小林"),
        Person("yoshida", "吉田 隆", "yoshida@hokuriku-seiki.example", "北陸精機株式会社", "生産管理部", "076-550-3300", EUC, "北陸精機の吉田"),
        Person("yamaguchi", "山口 恵", "m-yamaguchi@sakura-foods.example", "株式会社さくら食品", "川越工場 管理課", "049-550-8120", WEBMAIL, "さくら食品の山口"),
        Person("matsumoto", "松本 大輔", "matsumoto@nishi-logi.example", "西日本物流サービス株式会社", "大阪南センター", "06-5550-4410", OUTLOOK, "西日本物流サービスの松本"),
        Person("inoue", "井上 和也", "inoue@aozora-kensetsu.example", "あおぞら建設株式会社", "工事部", "048-550-6001", PHONE, "あおぞら建設の井上"),
        Person("kimura", "木村 さおり", "kimura@aoba-kai.example", "医療法人青葉会 青葉中央病院", "用度課", "042-550-1188", WEBMAIL, "青葉中央病院 用度課の木村"),
        Person("hayashi", "林 修", "hayashi@marufuku-print.example", "有限会社丸福印刷", "", "03-5550-9087", SHIFT_JIS_8BIT, "丸福印刷の林"),
        Person("shimizu", "清水 亮", "r.shimizu@yamato-kiko.example", "大和機工株式会社", "東京営業所", "03-5550-3456", PLAIN, "大和機工の清水"),
        Person("mori", "森 加奈子", "k-mori@tokai-parts.example", "東海部品販売株式会社", "業務課", "052-550-2800", OUTLOOK_JIS, "東海部品販売の森"),
        Person("abe", "阿部 俊介", "abe@ishikawa-soko.example", "石川倉庫株式会社", "営業企画", "076-550-9012", WEBMAIL, "石川倉庫の阿部"),
        Person("keller", "Anna Keller", "anna.keller@nordlicht-logistik.example", "Nordlicht Logistik GmbH", "Purchasing", "+49 40 555 0187", PLAIN, "Anna Keller", "Anna Keller\nNordlicht Logistik GmbH"),
        Person("ueda", "上田 浩二", "ueda@officeplus.example", "オフィスプラス株式会社", "首都圏営業部", "03-5550-7300", WEBMAIL, "オフィスプラスの上田"),
        Person("hakobu", "ハコブ便 お届け通知", "no-reply@hakobu-bin.example", "", "", "", WEBMAIL, ""),
        Person("kaikei", "クラウド経費", "notify@cloud-keihi.example", "", "", "", PHONE, ""),
        Person("yoyaku", "会議室予約システム", f"noreply@{HOME}", "", "", "", SHIFT_JIS_8BIT, ""),
        Person("kouza", "みらいネット銀行", "info@mirai-netbank.example", "", "", "", OUTLOOK_JIS, ""),
        Person("tenji", "物流・工場設備フェア事務局", "office@factory-fair.example", "", "", "", OUTLOOK_JIS, ""),
        Person("daemon", "Mail Delivery System", f"MAILER-DAEMON@mx.{HOME}", "", "", "", PLAIN, ""),
        Person("shimbun", "週刊ものづくり通信", "news@monozukuri-weekly.example", "", "", "", CARELESS, ""),
        Person("soko", "倉庫の改善ラボ", "mail@souko-lab.example", "", "", "", WEBMAIL, ""),
        Person("yamatonews", "大和機工 製品だより", "dayori@yamato-kiko.example", "", "", "", OUTLOOK, ""),
    )
}  # fmt: skip
BY_ADDRESS = {person.address: person for person in PEOPLE.values()}

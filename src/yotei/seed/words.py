# ruff: noqa: E501, the tables read better in long lines
"""Names and titles, all our own. Any likeness to a real person is chance; addresses are under reserved domains."""

from typing import Final, NamedTuple


class Culture(NamedTuple):
    """Given and family names as (written, in ASCII), and whether the family name comes first."""

    given: tuple[tuple[str, str], ...]
    family: tuple[tuple[str, str], ...]
    family_first: bool = False
    separator: str = " "


def _plain(names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, _ascii(name)) for name in names.split())


_FOLDED: Final = str.maketrans("áàâãäåāąéèêëęíîïóôõöøúüūýçćčğışñńłżźžßðþ", "aaaaaaaaeeeeeiiiooooouuuycccgisnnlzzzsdt")


def _ascii(name: str) -> str:
    return name.lower().translate(_FOLDED).replace("'", "")


def _pairs(pairs: str) -> tuple[tuple[str, str], ...]:
    words = pairs.split()
    return tuple(zip(words[::2], words[1::2], strict=True))


JAPANESE: Final = Culture(
    _pairs(
        "陽子 yoko 健太 kenta 美咲 misaki 大輔 daisuke 葵 aoi 翔 sho 真由美 mayumi 直樹 naoki 恵 megumi 拓也 takuya "
        "千尋 chihiro 悠人 yuto 彩香 ayaka 誠 makoto 由紀 yuki 亮 ryo 春香 haruka 修 osamu"
    ),
    _pairs(
        "佐藤 sato 鈴木 suzuki 高橋 takahashi 田中 tanaka 伊藤 ito 渡辺 watanabe 山本 yamamoto 中村 nakamura 小林 kobayashi "
        "加藤 kato 吉田 yoshida 山田 yamada 松本 matsumoto 井上 inoue 木村 kimura 清水 shimizu 森 mori 石川 ishikawa"
    ),
    family_first=True,
)
GERMAN: Final = Culture(
    _plain("Anke Jürgen Lena Thorsten Maike Florian Greta Matthias Sabine Jonas Heike Tobias Imke Lukas Petra Björn"),
    _plain(
        "Schäfer Lehmann Köhler Brandt Voß Winkler Krüger Albers Hofmann Jansen Möller Ziegler Reuter Bäcker Thiele"
    ),
)
ENGLISH: Final = Culture(
    _plain("Alice Owen Grace Callum Imogen Marcus Tessa Dylan Harriet Joel Naomi Elliot Phoebe Reuben Sadie Wesley"),
    _plain("Whitaker Okafor Brennan Sinclair Hartley Pemberton Calloway Doyle Fairbanks Langley Mercer Stroud Ainsley"),
)
FRENCH: Final = Culture(
    _plain("Camille Étienne Manon Théo Solène Baptiste Inès Rémi Chloé Gaël Aurélie Loïc Margaux Hugo Élodie Yann"),
    _plain("Lefèvre Moreau Garnier Chevalier Rousseau Besson Marchand Perrin Guérin Delattre Fontaine Vasseur Lacroix"),
)
PORTUGUESE: Final = Culture(
    _plain("João Beatriz Thiago Luíza Caio Fernanda Mateus Isabela Rafael Débora Vinícius Clara Otávio Renata Davi"),
    _plain("Carvalho Azevedo Nogueira Barbosa Teixeira Moura Siqueira Peixoto Camargo Falcão Brandão Queiroz Leitão"),
)
INDIAN: Final = Culture(
    _plain(
        "Ananya Rohan Kavya Arjun Meera Vikram Ishita Sanjay Divya Nikhil Lakshmi Aditya Pooja Karthik Sunita Rahul"
    ),
    _plain(
        "Iyer Deshpande Mukherjee Reddy Kulkarni Chatterjee Nair Bhatt Menon Joshi Banerjee Rao Pillai Saxena Gowda"
    ),
)
ARABIC: Final = Culture(
    _plain("Layla Omar Yasmin Karim Noor Tariq Salma Hassan Rania Bilal Dina Khalil Amira Samir Huda Faris Mariam"),
    _plain("Haddad Mansour Khoury Nasser Darwish Shaheen Aziz Barakat Qasim Rahmani Saleh Tawil Zaki Farouk Hamdan"),
)
KENYAN: Final = Culture(
    _plain(
        "Wanjiru Otieno Achieng Kamau Njeri Mwangi Akinyi Kiprop Wambui Barasa Chebet Juma Nyambura Odhiambo Zawadi"
    ),
    _plain("Kariuki Ochieng Mutua Wekesa Kimani Cheruiyot Nyong'o Gathoni Maina Omondi Rotich Njoroge Wafula Koech"),
)
CHINESE: Final = Culture(
    _pairs(
        "晓雯 xiaowen 志远 zhiyuan 佳怡 jiayi 建国 jianguo 雨桐 yutong 浩然 haoran 思敏 simin 子涵 zihan 丽华 lihua 俊杰 junjie "
        "欣怡 xinyi 文博 wenbo"
    ),
    _pairs("陈 chen 林 lin 黄 huang 周 zhou 吴 wu 徐 xu 孙 sun 胡 hu 郭 guo 何 he 高 gao 罗 luo 郑 zheng 梁 liang"),
    family_first=True,
    separator="",
)
POLISH: Final = Culture(
    _plain("Agnieszka Tomasz Zofia Piotr Magda Wojciech Hanna Krzysztof Ewa Marek Iwona Jacek Alicja Stanisław"),
    _plain("Kowalczyk Zieliński Wróbel Mazur Dąbek Jabłoński Sikora Górka Baran Pawlak Lis Czarnecka Wilk Żak"),
)

CULTURES: Final[dict[str, tuple[Culture, ...]]] = {
    "Europe/Berlin": (GERMAN, GERMAN, POLISH, ARABIC),
    "Asia/Tokyo": (JAPANESE, JAPANESE, JAPANESE, ENGLISH),
    "America/New_York": (ENGLISH, ENGLISH, INDIAN, PORTUGUESE, CHINESE),
    "Europe/London": (ENGLISH, ENGLISH, INDIAN, KENYAN),
    "Europe/Paris": (FRENCH, FRENCH, ARABIC),
    "America/Sao_Paulo": (PORTUGUESE, PORTUGUESE, JAPANESE),
    "Asia/Kolkata": (INDIAN,),
    "Africa/Nairobi": (KENYAN, KENYAN, INDIAN),
    "America/Los_Angeles": (ENGLISH, CHINESE, JAPANESE, INDIAN),
    "Australia/Sydney": (ENGLISH, CHINESE, ARABIC),
}
ZONES: Final = tuple(CULTURES)

TOPICS: Final = (
    "billing", "onboarding", "the mobile app", "search", "the autumn release", "data protection", "the Osaka office", "hiring",
    "customer interviews", "the website", "accessibility", "reporting", "the warehouse move", "support", "capacity", "pricing",
)  # fmt: skip
_ABOUT: Final = (
    "Planning: {}", "Review: {}", "Workshop on {}", "Decision on {}", "Sync about {}", "Kick-off for {}", "Retrospective: {}",
    "Questions about {}", "Demo of {}", "Budget for {}",
)  # fmt: skip
MEETINGS: Final = (
    *(form.format(topic) for form in _ABOUT for topic in TOPICS),
    "Interview: back-end engineer", "Coffee with the new colleagues", "Lunch", "One-to-one", "Town hall", "Fire drill",
    "Brainstorming", "Reading group", "Supplier call", "Press briefing", "Team photo", "Farewell drinks",
)  # fmt: skip
ROUTINES: Final = (
    "Stand-up", "Weekly team meeting", "One-to-one", "Sprint planning", "Backlog grooming", "Office hours", "Support rota",
    "Yoga at noon", "Release meeting", "Leads' round", "Metrics review", "Language exchange", "Choir", "Bug triage",
)  # fmt: skip
ALL_DAY: Final = (
    "Annual leave", "Conference", "On call", "Out of office", "Training", "Company holiday", "Working from home", "Trade fair",
)  # fmt: skip
PRIVATE: Final = (
    "Dentist",
    "Parents' evening",
    "Doctor",
    "School run",
    "Bank",
    "Physiotherapy",
    "Plumber comes",
    "Vet",
)
LOCAL_MEETINGS: Final[dict[str, tuple[str, ...]]] = {
    "Asia/Tokyo": (
        "企画会議", "営業定例", "新製品レビュー", "採用面接", "お客様訪問", "予算会議", "進捗確認", "勉強会", "忘年会の打ち合わせ", "品質会議",
        "デザインレビュー", "全体会議",
    ),
    "Europe/Berlin": (
        "Abteilungsrunde", "Abstimmung Einkauf", "Vorstellungsgespräch", "Jour fixe", "Projektübergabe", "Brandschutzübung",
    ),
    "Europe/Paris": ("Point d'équipe", "Comité de pilotage", "Entretien d'embauche", "Revue de budget", "Déjeuner d'équipe"),
    "America/Sao_Paulo": ("Reunião de equipe", "Revisão do orçamento", "Entrevista", "Apresentação ao cliente", "Almoço"),
}  # fmt: skip
ROOM_NAMES: Final = (
    "Fuji", "Elbe", "Kilimanjaro", "Loire", "Aconcagua", "Sumida", "Ganges", "Snowdon", "Tatra", "Nile", "Hakone", "Zambezi",
    "Danube", "Aso", "Vistula", "Yosemite", "Uluru", "Amazon", "Thames", "Niseko",
)  # fmt: skip
EQUIPMENT_NAMES: Final = ("Projector", "Video kit", "Pool car", "Camera", "Flip chart trolley")
TEAM_NAMES: Final = (
    "Product", "Engineering", "Design", "Support", "Sales", "People", "Finance", "Research", "Platform", "Marketing", "Legal",
    "Facilities", "Data", "Security", "Field",
)  # fmt: skip
NOTES: Final = (
    "Agenda: last week, this week, what is in the way.",
    "Please read the paper beforehand.",
    "The recording will be shared afterwards.",
    "Bring one question each.",
    "議題は前日までに共有します。",
    "1. Figures\\n2. Open points\\n3. Next steps",
)
"""As they stand in COPY's text format: a line break is written as a backslash and n."""

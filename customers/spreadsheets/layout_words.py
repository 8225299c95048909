"""What is said about the layouts that come with Hongyan: their names, what to know, and what to export instead."""

from customers.msgid import _

NAMES: dict[str, str] = {
    "hongyan_customers": _("Hongyan: customers"),
    "hongyan_orders": _("Hongyan: orders"),
    "taobao_orders_items": _("Taobao and Tmall: goods sold"),
    "taobao_orders": _("Taobao and Tmall: orders"),
    "taobao_orders_2026": _("Taobao and Tmall: orders without addresses"),
    "taobao_orders_report": _("Tmall: order report without statuses"),
    "douyin_orders": _("Douyin: orders"),
    "pinduoduo_orders": _("Pinduoduo: orders"),
    "jd_orders": _("JD: orders"),
    "youzan_customers": _("Youzan: customers"),
    "youzan_orders": _("Youzan: orders"),
    "weidian_orders": _("Weidian: orders"),
    "shopify_customers": _("Shopify: customers"),
    "shopify_orders": _("Shopify: orders"),
    "mailchimp_cleaned": _("Mailchimp: cleaned addresses"),
    "mailchimp_audience": _("Mailchimp: audience"),
    "listmonk_subscribers": _("listmonk: subscribers"),
    "olist_orders": _("Olist: orders"),
}

NOTICES: dict[str, str] = {
    "": "",
    "orders": _(
        "This is an order export (%(label)s). Imported as customers, each row is an order: "
        "buyers with several orders appear as duplicates."
    ),
    "orders_without_status": _(
        "This report of %(label)s names no status: an order counts as paid when it has a time of payment."
    ),
    "own_export": _("This file was exported from Hongyan; it comes back to where it was."),
    "cleaned": _(
        "These are addresses that Mailchimp could not deliver to. They are no opt-outs, "
        "but most of them are dead: import them only if you know why."
    ),
    "listmonk": _(
        "listmonk’s “enabled” only says that an account is open, so it is no consent until you say so below; "
        "the column “attributes” is not imported."
    ),
}

ADVICE: dict[str, str] = {
    "": "",
    "taobao": _(
        "Taobao and Tmall hide the numbers of protected buyers, and no export of theirs holds them: a virtual number "
        "is dead 15 days after the trade. Export the members who left you their number instead: from your till, your "
        "membership cards or your mini program."
    ),
    "douyin": _(
        "Douyin writes names and numbers in cipher text that only Douyin can read. In the Doudian back office, ask "
        "for an export with plain numbers (Orders › Export, with the owner’s approval), or export the members of "
        "your own mini program."
    ),
    "jd": _("JD hides numbers by asterisks and by extensions. Export the members of your own shop with full numbers."),
    "pinduoduo": _(
        "Pinduoduo’s order export holds no numbers of buyers, virtual goods excepted. Export the members who left you "
        "their number instead."
    ),
    "youzan": _(
        "Youzan hides numbers from staff without the right to see them. Let the administrator of the Youzan shop "
        "export the list again with full numbers (Customers › All customers › Export)."
    ),
    "weidian": _(
        "Weidian hides numbers behind asterisks or extensions. Export the members of your own shop with full numbers."
    ),
}

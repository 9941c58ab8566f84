"""What the pages say, in the two languages that they speak: what a person looks for to find their way."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Labels of buttons, links, fields and headings; `language` is the one that they are in."""

    language: str
    # logging in
    login_name: str
    password: str
    log_in: str
    set_and_log_in: str
    new_password: str
    # linked mailboxes
    settings: str
    mailboxes: str
    nothing_linked: str
    link_mailbox: str
    linked: str
    importing: str
    could_not_link: str
    unlinked_mailboxes: str
    link_again: str
    go_on: str
    change_folders: str
    change_password: str
    connection: str
    unlink_mailbox: str
    unlink: str
    # the wizard
    address: str
    next: str
    cancel: str
    back: str
    by_hand: str
    connecting: str
    folders_title: str
    sent_folder: str
    receiving_folder: str
    no_sent_folder: str
    inbox: str
    period: str
    chosen: str
    only_folders: str
    done_title: str
    finish: str
    ready_to_read: str
    try_again: str
    later: str
    confirm: str
    servers: str
    smtp_servers: str
    user_name: str
    server_name: str
    security: str
    port: str
    save: str
    stages: tuple[str, ...]
    # mail
    mail: str
    search: str
    received: str
    unread: str
    own_password: str


JAPANESE = Words(
    language="ja",
    login_name="ログイン名",
    password="パスワード",
    log_in="ログイン",
    set_and_log_in="設定してログイン",
    new_password="新しいパスワード",
    settings="ユーザー設定",
    mailboxes="連携済みメールボックス",
    nothing_linked="連携しているメールボックスは、まだありません",
    link_mailbox="メールボックスを連携する",
    linked="連携中",
    importing="取り込み中",
    could_not_link="連携できませんでした",
    unlinked_mailboxes="連携を解除したメールボックス",
    link_again="もう一度連携する",
    go_on="続きから",
    change_folders="フォルダを変更",
    change_password="パスワードを変更",
    connection="接続の設定",
    unlink_mailbox="メールボックスを連携解除",
    unlink="解除する",
    address="メールアドレス",
    next="次へ",
    cancel="やめる",
    back="戻る",
    by_hand="手動で設定を行う",
    connecting="接続しています",
    folders_title="フォルダの選択",
    sent_folder="送信フォルダ",
    receiving_folder="受信フォルダ",
    no_sent_folder="送信フォルダなし",
    inbox="受信トレイ",
    period="期間",
    chosen="選択中",
    only_folders="中はフォルダのみ",
    done_title="連携完了",
    finish="完了",
    ready_to_read="もう読めます",
    try_again="もう一度試す",
    later="あとで",
    confirm="確認する",
    servers="受信サーバー情報（IMAP）",
    smtp_servers="送信サーバー情報（SMTP）",
    user_name="ユーザーネーム",
    server_name="サーバー名",
    security="セキュリティタイプ",
    port="ポート",
    save="保存",
    stages=(
        "メールサーバーを探す",
        "安全に接続する",
        "ログインする",
        "フォルダを確認する",
        "送信サーバーを確認する",
    ),
    mail="メール",
    search="メールを検索",
    received="受信",
    unread="未読",
    own_password="これは文箱のログインパスワードです。",
)

ENGLISH = Words(
    language="en",
    login_name="Login name",
    password="Password",
    log_in="Log in",
    set_and_log_in="Set and log in",
    new_password="New password",
    settings="User settings",
    mailboxes="Linked mailboxes",
    nothing_linked="No mailbox is linked yet",
    link_mailbox="Link a mailbox",
    linked="Linked",
    importing="Importing",
    could_not_link="Could not link",
    unlinked_mailboxes="Unlinked mailboxes",
    link_again="Link again",
    go_on="Go on",
    change_folders="Change folders",
    change_password="Change the password",
    connection="Connection settings",
    unlink_mailbox="Unlink the mailbox",
    unlink="Unlink",
    address="Mail address",
    next="Next",
    cancel="Cancel",
    back="Back",
    by_hand="Enter the servers by hand",
    connecting="Connecting",
    folders_title="Choose folders",
    sent_folder="Sent folder",
    receiving_folder="Receiving folder",
    no_sent_folder="No sent folder",
    inbox="Inbox",
    period="Period",
    chosen="Chosen:",
    only_folders="holds only folders",
    done_title="Mailbox linked",
    finish="Finish",
    ready_to_read="Ready to read",
    try_again="Try again",
    later="Later",
    confirm="Confirm",
    servers="Receiving server (IMAP)",
    smtp_servers="Sending server (SMTP)",
    user_name="User name",
    server_name="Server name",
    security="Security type",
    port="Port",
    save="Save",
    stages=(
        "Find the mail server",
        "Connect securely",
        "Log in",
        "Check the folders",
        "Check the sending server",
    ),
    mail="Mail",
    search="Search mail",
    received="Received",
    unread="Unread",
    own_password="This is your Fumibako password.",
)

LANGUAGES = {words.language: words for words in (JAPANESE, ENGLISH)}

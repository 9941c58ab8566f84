"""What the sample mails say: people, deals, single letters, newsletters.

`cast.py` names the people; the `.txt` files hold the letters in the form that `letters.py` reads:

    === key=value key=value …     begins a block (who writes, when, with what files)
    first line                    the subject, where a block has one
    the rest                      the text, without form of address, greeting and signature; {…} is filled in
    --- key=value …               within a block: an answer to what stands above

All people, firms and addresses are made up; every domain ends in .example (RFC 2606).
"""

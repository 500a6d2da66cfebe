"""What the bots share. A bot is a server of its own, over the index and database of `docent serve`.

start → the command, its checks · door → the port that is told what happens · words → answers in
Markdown · kept → what was heard outlives the bot
"""

"""From sources of photographs to sets of triplets: resumable, over cores, with a report of everything refused."""

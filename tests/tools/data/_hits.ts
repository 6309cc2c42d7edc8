/** An HHR file of two hits, one of them over several blocks with gaps. */
export const HHR_TEXT = `Query         a query with words
Match_columns 40
No_of_seqs    5 out of 7

 No Hit                             Prob E-value P-value  Score    SS Cols Query HMM  Template HMM
  1 1ABC_A First                     98.5 1.2E-10  0.1    50.5   0.0    8    3-12     2-12  (99)

No 1
>1ABC_A First; with = signs {Homo sapiens}
Probab=98.50  E-value=1.2e-10  Score=50.50  Aligned_cols=8  Identities=25%  Similarity=-0.125  Sum_probs=7.5  Template_Neff=4.500

Q ss_pred             CCHHHH
Q query             3 ACDE-F    7 (40)
Q Consensus         3 acde~f    7 (40)
                      ||.. +
T Consensus         2 ac~ekf    7 (99)
T 1ABC_A            2 AC-EKF    6 (99)
T ss_dssp             -HHHHH
T ss_pred             cCHHHH
Confidence            345 66

Q query             8 GH-IKL   12 (40)
T 1ABC_A            7 GHWIXl   12 (99)

No 2
>2xyz_B
Probab=1.00  E-value=3  Score=0  Aligned_cols=2  Identities=100%  Similarity=0.4

Q query          39998 MN   39999 (40000)
T 2xyz_B            1 MN    2 (2)

Done!
`;
